import HashTreeCollections
package import WasmnetNet

/// Values by network, looked up by address: one hash table for all networks, probed once for each length that occurs.
///
/// The number of probes is the number of distinct lengths (at most 33 or 129, in practice a handful), however many networks there
/// are, and insertion and removal are one table operation each, unlike in a trie over flat arrays. The table is
/// persistent: copies share their parts, so that a change to the copy of a large table costs no more than to a small one.
package struct PrefixTable<Value: Sendable>: Sendable {
    private var values: TreeDictionary<Prefix, [Value]> = [:]
    /// How many networks have each length; longest first when looked up.
    private var v4Lengths: [Int: Int] = [:]
    private var v6Lengths: [Int: Int] = [:]
    private var v4Order: [Int] = []
    private var v6Order: [Int] = []

    package init() {}

    package var count: Int { self.values.count }
    package var isEmpty: Bool { self.values.isEmpty }

    package mutating func insert(_ value: Value, for prefix: Prefix) {
        if self.values[prefix, default: []].isEmpty { self.count(prefix, by: 1) }
        self.values[prefix, default: []].append(value)
    }

    /// Removes all values of a network.
    package mutating func remove(_ prefix: Prefix) {
        if self.values.removeValue(forKey: prefix) != nil { self.count(prefix, by: -1) }
    }

    /// Removes the values of a network that match `predicate`.
    package mutating func remove(_ prefix: Prefix, where predicate: (Value) -> Bool) {
        guard var values = self.values[prefix] else { return }
        values.removeAll(where: predicate)
        if values.isEmpty { self.remove(prefix) } else { self.values[prefix] = values }
    }

    private mutating func count(_ prefix: Prefix, by change: Int) {
        if prefix.address.isIPv4 {
            Self.count(prefix.length, by: change, &self.v4Lengths, &self.v4Order)
        } else {
            Self.count(prefix.length, by: change, &self.v6Lengths, &self.v6Order)
        }
    }

    private static func count(_ length: Int, by change: Int, _ lengths: inout [Int: Int], _ order: inout [Int]) {
        let count = lengths[length, default: 0] + change
        lengths[length] = count > 0 ? count : nil
        if lengths.count != order.count { order = lengths.keys.sorted(by: >) }
    }

    /// The first value that matches `predicate`, the longest network first.
    package func first(for address: IPAddress, where predicate: (Value) -> Bool) -> Value? {
        guard !self.values.isEmpty else { return nil }
        for length in address.isIPv4 ? self.v4Order : self.v6Order {
            guard let prefix = Prefix(address, length: length), let values = self.values[prefix] else { continue }
            if let value = values.first(where: predicate) { return value }
        }
        return nil
    }
}
