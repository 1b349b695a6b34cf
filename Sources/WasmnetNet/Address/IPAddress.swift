import Glibc

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

    /// Parses text like inet_pton(3): dotted decimal without leading zeros, or RFC 4291, section 2.2, with or without brackets.
    /// No octal, hexadecimal or short IPv4 forms, and no zones.
    public init?(_ literal: some StringProtocol) {
        let text = ByteText(literal)
        if let inside = text.dropping(prefix: "[")?.dropping(suffix: "]") {
            self.init(inside, of: AF_INET6)
        } else {
            self.init(text, of: text.has(":") ? AF_INET6 : AF_INET)
        }
    }

    private init?(_ text: ByteText, of family: CInt) {
        // It would end at the zero that ends a C string.
        guard text.count < INET6_ADDRSTRLEN, !text.has("\0") else { return nil }
        let count = family == AF_INET ? 4 : 16
        let address = withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { room -> IPAddress? in
            guard inet_pton(family, text.text, room.baseAddress) == 1 else { return nil }
            return IPAddress(bytes: UnsafeRawBufferPointer(rebasing: room[..<count]))
        }
        guard let address else { return nil }
        self = address
    }

    /// The address' bytes in network order: 4 or 16.
    package var bytes: [UInt8] {
        if self.isIPv4 { return (0..<4).map { UInt8(truncatingIfNeeded: self.low >> UInt64(24 - 8 * $0)) } }
        return (0..<8).map { UInt8(truncatingIfNeeded: self.high >> UInt64(56 - 8 * $0)) }
            + (0..<8).map { UInt8(truncatingIfNeeded: self.low >> UInt64(56 - 8 * $0)) }
    }

    /// Dotted decimal, or RFC 5952's form of IPv6.
    public var description: String {
        // inet_ntop(3) writes these as ::a.b.c.d, which RFC 4291, section 2.5.5.1, deprecates.
        if self.isIPv4Compatible {
            let groups = [self.low >> 16, self.low & 0xFFFF].map { String($0, radix: 16) }
            return "::" + groups.joined(separator: ":")
        }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { room in
            var (v4, v6) = (UInt32(truncatingIfNeeded: self.low).bigEndian, (self.high.bigEndian, self.low.bigEndian))
            let text =
                self.isIPv4
                ? inet_ntop(AF_INET, &v4, room.baseAddress, socklen_t(room.count))
                : inet_ntop(AF_INET6, &v6, room.baseAddress, socklen_t(room.count))
            return text.map { String(cString: $0) } ?? ""
        }
    }
}

extension IPAddress {
    /// `::`
    package static let unspecified = IPAddress(v6: 0, low: 0)
    /// `0.0.0.0`
    package static let unspecifiedV4 = IPAddress(v4: (0, 0, 0, 0))

    package var isUnspecified: Bool { self.high == 0 && self.low == 0 }
    package var isLoopback: Bool { self.isIPv4 ? self.low >> 24 == 127 : self.high == 0 && self.low == 1 }
    /// `::ffff:a.b.c.d`
    package var isMapped: Bool { !self.isIPv4 && self.high == 0 && self.low >> 32 == 0xFFFF }
    /// `::a.b.c.d`, of more than 16 bits.
    private var isIPv4Compatible: Bool {
        !self.isIPv4 && self.high == 0 && self.low >> 32 == 0 && self.low >> 16 != 0
    }

    /// `::ffff:a.b.c.d` as `a.b.c.d`, of which it is only another form (RFC 4291, section 2.5.5.2).
    package var withoutV4Mapping: IPAddress {
        self.isMapped ? IPAddress(v4Bits: UInt32(truncatingIfNeeded: self.low)) : self
    }

    /// `a.b.c.d` as `::ffff:a.b.c.d`; an IPv6 address unchanged.
    package var mapped: IPAddress {
        self.isIPv4 ? IPAddress(v6: 0, low: 0xFFFF_0000_0000 | self.low) : self
    }

    /// The address in a `sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)); nil for any other family.
    package init?(socketAddress raw: UnsafeRawPointer) {
        switch CInt(raw.load(as: sa_family_t.self)) {
        case AF_INET: self.init(bytes: UnsafeRawBufferPointer(start: raw + 4, count: 4))
        case AF_INET6: self.init(bytes: UnsafeRawBufferPointer(start: raw + 8, count: 16))
        default: return nil
        }
    }
}
