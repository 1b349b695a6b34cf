/// The built-in guard: ranges that lead to the node's own machine or network, or nowhere (IANA's special-purpose registries, RFC 6890).
///
/// Of IPv6 only global unicast, 2000::/3 (RFC 4291, section 2.4), is public at all, so a range that is assigned later is not open
/// before somebody has judged it. Addresses with an IPv4 address inside are judged by that one.
enum SpecialRanges {
    static func name(of address: IPAddress) -> String? {
        address.isIPv4 ? self.v4(UInt32(truncatingIfNeeded: address.low)) : self.v6(address)
    }

    private static func v4(_ bits: UInt32) -> String? {
        let first = bits >> 24
        let two = bits >> 16
        let three = bits >> 8
        switch first {
        case 0: return "this network (0.0.0.0/8)"
        case 10: return "private (10.0.0.0/8)"
        case 127: return "loopback (127.0.0.0/8)"
        case 224...239: return "multicast (224.0.0.0/4)"
        case 240...255: return bits == .max ? "broadcast" : "reserved (240.0.0.0/4)"
        default: break
        }
        if two >> 6 == 0x6440 >> 6 { return "shared address space (100.64.0.0/10)" }
        if two == 0xA9FE { return "link-local (169.254.0.0/16)" }
        if two >> 4 == 0xAC10 >> 4 { return "private (172.16.0.0/12)" }
        if two == 0xC0A8 { return "private (192.168.0.0/16)" }
        if two >> 1 == 0xC612 >> 1 { return "benchmarking (198.18.0.0/15)" }
        switch three {
        case 0xC00000: return "protocol assignments (192.0.0.0/24)"
        case 0xC00002: return "documentation (192.0.2.0/24)"
        case 0xC05863: return "6to4 relays (192.88.99.0/24)"
        case 0xC63364: return "documentation (198.51.100.0/24)"
        case 0xCB0071: return "documentation (203.0.113.0/24)"
        default: return nil
        }
    }

    private static func v6(_ address: IPAddress) -> String? {
        let high = address.high
        if high == 0 {
            if address.low == 0 { return "unspecified (::)" }
            if address.low == 1 { return "loopback (::1)" }
        }
        if high >> 57 == 0xFC >> 1 { return "unique-local (fc00::/7)" }
        if high >> 54 == 0xFE80 >> 6 { return "link-local (fe80::/10)" }
        if high >> 54 == 0xFEC0 >> 6 { return "site-local (fec0::/10)" }
        if high >> 56 == 0xFF { return "multicast (ff00::/8)" }
        if high >> 32 == 0x2001_0DB8 { return "documentation (2001:db8::/32)" }
        if high >> 44 == 0x3FFF0 { return "documentation (3fff::/20)" }
        if high >> 16 == 0x2001_0002_0000 { return "benchmarking (2001:2::/48)" }
        if high >> 16 == 0x0064_FF9B_0001 { return "local NAT64 (64:ff9b:1::/48)" }
        if high == 0x0100_0000_0000_0000 { return "discard-only (100::/64)" }
        if high >> 48 == 0x5F00 { return "segment routing (5f00::/16)" }
        guard address.embedded.isEmpty else { return nil }
        // ORCHID, benchmarking, anycast of the network's own services; Teredo, 2001::/32, has IPv4 addresses inside.
        if high >> 41 == 0x2001_0000 >> 9 { return "protocol assignments (2001::/23)" }
        return high >> 61 == 1 ? nil : "not global unicast (outside 2000::/3)"
    }
}
