/// An IPv4 or IPv6 address: a value without storage of its own.
public struct IPAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address' 128 bits; an IPv4 address is the low 32.
    package let high: UInt64
    package let low: UInt64
    /// Whether it is an IPv4 address; an IPv4-mapped one is IPv6.
    public let isIPv4: Bool

    /// An IPv4 address by its four bytes.
    public init(v4 bytes: (UInt8, UInt8, UInt8, UInt8)) {
        self.init(
            v4Bits: UInt32(bytes.0) << 24 | UInt32(bytes.1) << 16 | UInt32(bytes.2) << 8 | UInt32(bytes.3))
    }

    /// An IPv6 address by its halves, most significant first.
    public init(v6 high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
        self.isIPv4 = false
    }

    package init(v4Bits: UInt32) {
        self.high = 0
        self.low = UInt64(v4Bits)
        self.isIPv4 = true
    }

    /// From 4 or 16 bytes in network order; nil for any other count.
    package init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self.init(v4Bits: bytes.reduce(0) { $0 << 8 | UInt32($1) })
        case 16:
            let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            let low = bytes.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            self.init(v6: high, low: low)
        default: return nil
        }
    }

    /// From text as inet_pton(3) reads it: dotted decimal without leading zeros, or RFC 4291, section 2.2, with or without brackets.
    /// No octal, hexadecimal or short IPv4 forms, and no zones.
    public init?(_ literal: some StringProtocol) {
        var text = Array(literal.utf8)
        if text.first == UInt8(ascii: "["), text.last == UInt8(ascii: "]"), text.count > 2 {
            text = Array(text[1..<(text.count - 1)])
            guard let address = Self.parseV6(text[...]) else { return nil }
            self = address
        } else if let bits = Self.parseV4(text[...]) {
            self.init(v4Bits: bits)
        } else if let address = Self.parseV6(text[...]) {
            self = address
        } else {
            return nil
        }
    }

    private static func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
            guard part.count == 1 || part.first != 0x30 else { return nil }
            let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 0x30) }
            guard value <= 255 else { return nil }
            bits = bits << 8 | value
        }
        return bits
    }

    private static func parseV6(_ text: ArraySlice<UInt8>) -> IPAddress? {
        guard text.count >= 2, text.count <= 45 else { return nil }
        let colon = UInt8(ascii: ":")
        var groups: [UInt16] = []
        var gap: Int?
        var rest = text
        if rest.starts(with: [colon, colon]) {
            gap = 0
            rest = rest.dropFirst(2)
        }
        while !rest.isEmpty {
            let part = rest.prefix { $0 != colon }
            if part.contains(UInt8(ascii: ".")) {
                guard part.count == rest.count, groups.count <= 6, let bits = self.parseV4(part) else { return nil }
                groups.append(UInt16(bits >> 16))
                groups.append(UInt16(bits & 0xFFFF))
                rest = []
                break
            }
            guard (1...4).contains(part.count), let value = UInt16(String(decoding: part, as: UTF8.self), radix: 16),
                part.first != UInt8(ascii: "+"), groups.count < 8
            else { return nil }
            groups.append(value)
            rest = rest.dropFirst(part.count)
            guard !rest.isEmpty else { break }
            rest = rest.dropFirst()
            guard let next = rest.first else { return nil }
            if next == colon {
                guard gap == nil else { return nil }
                gap = groups.count
                rest = rest.dropFirst()
            }
        }
        if let gap {
            guard groups.count <= 7 else { return nil }
            groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        let high = groups[0..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        let low = groups[4..<8].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        return IPAddress(v6: high, low: low)
    }

    /// The address' bytes in network order: 4 or 16.
    package var bytes: [UInt8] {
        if self.isIPv4 { return (0..<4).map { UInt8(truncatingIfNeeded: self.low >> UInt64(24 - 8 * $0)) } }
        return (0..<8).map { UInt8(truncatingIfNeeded: self.high >> UInt64(56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: self.low >> UInt64(56 - 8 * $0)) }
    }

    /// Dotted decimal, or RFC 5952's form of IPv6.
    public var description: String {
        let bytes = self.bytes
        if self.isIPv4 { return bytes.map(String.init).joined(separator: ".") }
        if self.high == 0, self.low >> 32 == 0xFFFF {
            return "::ffff:" + bytes[12...].map(String.init).joined(separator: ".")
        }
        let groups = (0..<8).map { UInt16(bytes[2 * $0]) << 8 | UInt16(bytes[2 * $0 + 1]) }
        var best = 0..<0
        var start: Int?
        for index in 0...8 {
            if index < 8, groups[index] == 0 {
                start = start ?? index
            } else if let from = start {
                if index - from > best.count, index - from > 1 { best = from..<index }
                start = nil
            }
        }
        let text = { (range: Range<Int>) in range.map { String(groups[$0], radix: 16) }.joined(separator: ":") }
        return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }
}
