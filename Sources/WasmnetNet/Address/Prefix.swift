/// A network: an address and the length of its prefix in bits.
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

    /// Whether the network contains this address; never true across families.
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

extension Prefix {
    package var isSingle: Bool { self.length == (self.address.isIPv4 ? 32 : 128) }

    /// The IPv4 form of an IPv4-mapped network (RFC 4291, section 2.5.5.2).
    package var withoutV4Mapping: Prefix {
        guard self.length >= 96, self.address.isMapped else { return self }
        return Prefix(self.address.withoutV4Mapping, length: self.length - 96) ?? self
    }
}
