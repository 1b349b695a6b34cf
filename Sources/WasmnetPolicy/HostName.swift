import HashTreeCollections
package import WasmnetNet

/// A valid DNS name, in lower case, without the trailing dot.
public struct HostName: Hashable, Sendable, CustomStringConvertible {
    /// Lower case, without a trailing dot, at most 253 bytes of ASCII.
    public let text: String

    package init(checked text: String) {
        self.text = text
    }

    /// The same as ``text``.
    public var description: String { self.text }
}

/// Why a text is not a valid destination.
public struct DestinationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A description of the error.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// A request's destination, as written.
package enum Destination: Equatable, Sendable {
    case address(IPAddress)
    case name(HostName)

    /// Parses an IP literal, an IPv4-mapped one as IPv4, or a name (RFC 1035, section 2.3.1, with underscores; at most 253 bytes).
    package init(parsing host: String) throws(DestinationError) {
        if let address = IPAddress(host) {
            self = .address(address.withoutV4Mapping)
            return
        }
        self = .name(try HostName(parsing: host))
    }
}

extension HostName {
    /// - Throws: for an invalid name: empty, too long, not ASCII, or a number that other parsers would take for an address.
    public init(parsing host: String) throws(DestinationError) {
        var bytes = Array(host.utf8)
        guard !bytes.isEmpty else { throw DestinationError("the address is empty") }
        if bytes.last == UInt8(ascii: ".") { bytes.removeLast() }
        guard !bytes.isEmpty, bytes.count <= 253 else {
            throw DestinationError(
                bytes.isEmpty ? "\".\" is not a name" : "a name is at most 253 bytes, this is \(bytes.count)")
        }
        guard bytes.allSatisfy({ $0 < 0x80 }) else {
            throw DestinationError("a name is ASCII; write other letters in their xn-- form")
        }
        let labels = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for label in labels {
            guard (1...63).contains(label.count) else {
                throw DestinationError("each part of a name is 1 to 63 bytes")
            }
            let isPlain = label.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
            guard isPlain, label.first != UInt8(ascii: "-"), label.last != UInt8(ascii: "-") else {
                throw DestinationError("a name has letters, digits, hyphens and dots only")
            }
        }
        if let last = labels.last, Self.isNumber(last) {
            throw DestinationError("this is neither a name nor an address as inet_pton reads it")
        }
        self.init(checked: ByteText(bytes).lowercased.text)
    }

    /// Whether some resolvers parse a name with this last label as a number: 127.1, 0x7f.1, 2130706433 (WHATWG URL, "ends in a number").
    private static func isNumber(_ label: ArraySlice<UInt8>) -> Bool {
        if label.allSatisfy({ (0x30...0x39).contains($0) }) { return true }
        guard label.count >= 2, label.starts(with: [0x30, 0x78]) || label.starts(with: [0x30, 0x58]) else {
            return false
        }
        return label.dropFirst(2).allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
        }
    }
}

/// Values by name and by wildcard, looked up by name. A copy shares its parts, see ``PrefixTable``.
package struct SuffixTable<Value: Sendable>: Sendable {
    private var exact: TreeDictionary<Substring, [Value]> = [:]
    /// Keyed by what follows `*.`.
    private var wildcards: TreeDictionary<Substring, [Value]> = [:]

    package init() {}

    package var count: Int { self.exact.count + self.wildcards.count }

    package mutating func insert(_ value: Value, for name: HostName) {
        self.exact[name.text[...], default: []].append(value)
    }

    /// `*.name`, the name itself included.
    package mutating func insert(_ value: Value, below name: HostName) {
        self.wildcards[name.text[...], default: []].append(value)
    }

    /// Removes the values of a name, or of the wildcard below it, that match `predicate`.
    package mutating func remove(_ name: HostName, below: Bool, where predicate: (Value) -> Bool) {
        guard var values = below ? self.wildcards[name.text[...]] : self.exact[name.text[...]] else { return }
        values.removeAll(where: predicate)
        let left = values.isEmpty ? nil : values
        if below { self.wildcards[name.text[...]] = left } else { self.exact[name.text[...]] = left }
    }

    package func firstExact(_ name: HostName, where predicate: (Value) -> Bool) -> Value? {
        self.exact.isEmpty ? nil : self.exact[name.text[...]]?.first(where: predicate)
    }

    /// The longest wildcard first.
    package func firstWildcard(_ name: HostName, where predicate: (Value) -> Bool) -> Value? {
        guard !self.wildcards.isEmpty else { return nil }
        var rest = name.text[...]
        while true {
            if let value = self.wildcards[rest]?.first(where: predicate) { return value }
            guard let dot = rest.utf8.firstIndex(of: UInt8(ascii: ".")) else { return nil }
            rest = rest[rest.utf8.index(after: dot)...]
        }
    }
}
