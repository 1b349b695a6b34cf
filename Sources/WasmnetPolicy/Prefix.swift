import HashTreeCollections

/// A network: an address and how many of its bits count.
public struct Prefix: Hashable, Sendable, CustomStringConvertible {
    /// The network's first address.
    public let address: IPAddress
    /// 0 to 32 for IPv4, 0 to 128 for IPv6.
    public let length: Int

    /// Drops the host bits; nil when the length is out of range.
    public init?(_ address: IPAddress, length: Int) {
        guard length >= 0, length <= (address.isIPv4 ? 32 : 128) else { return nil }
        self.address = address.masked(to: length)
        self.length = length
    }

    /// Whether the network has this address; never true across families.
    public func contains(_ other: IPAddress) -> Bool {
        other.isIPv4 == self.address.isIPv4 && other.masked(to: self.length) == self.address
    }

    /// As in `10.0.0.0/8`.
    public var description: String { "\(self.address)/\(self.length)" }
}

extension IPAddress {
    /// The address with all bits after the first `length` cleared.
    package func masked(to length: Int) -> IPAddress {
        if self.isIPv4 {
            return IPAddress(
                v4Bits: length <= 0 ? 0 : UInt32(truncatingIfNeeded: self.low) & (.max << UInt32(32 - min(length, 32))))
        }
        let high = length <= 0 ? 0 : length >= 64 ? self.high : self.high & (.max << UInt64(64 - length))
        let low = length <= 64 ? 0 : length >= 128 ? self.low : self.low & (.max << UInt64(128 - length))
        return IPAddress(v6: high, low: low)
    }
}

/// Values by network, looked up by address: one hash table for all networks, probed once for each length that occurs.
///
/// The number of probes is the number of distinct lengths (at most 33 or 129, in practice a handful), however many networks there
/// are, and insertion and removal are one table operation each, which a trie over flat arrays would not give. The table is a
/// persistent one: a copy shares its parts, so that a change to the copy of a large table costs no more than to a small one.
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

    /// Removes the values of a network that `predicate` takes.
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

    /// The first value that `predicate` takes, the longest network first.
    package func first(for address: IPAddress, where predicate: (Value) -> Bool) -> Value? {
        guard !self.values.isEmpty else { return nil }
        for length in address.isIPv4 ? self.v4Order : self.v6Order {
            guard let prefix = Prefix(address, length: length), let values = self.values[prefix] else { continue }
            if let value = values.first(where: predicate) { return value }
        }
        return nil
    }
}
