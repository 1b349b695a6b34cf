import WasmnetNet

/// The built-in guard: ranges that lead to the node's own machine or network, or nowhere.
///
/// Of IPv6 only global unicast, 2000::/3 (RFC 4291, section 2.4), is public at all, so a range that is assigned later stays closed
/// until it has been reviewed.
enum SpecialRanges {
    /// IANA's IPv4 Special-Purpose Address Registry as of 2025-10-09: every entry that is not globally reachable, and the two within
    /// 192.0.0.0/24 for the network's own gateways.
    static let registeredIPv4 = [
        ("this network", "0.0.0.0/8"), ("private", "10.0.0.0/8"), ("shared address space", "100.64.0.0/10"),
        ("loopback", "127.0.0.0/8"), ("link-local", "169.254.0.0/16"), ("private", "172.16.0.0/12"),
        ("protocol assignments", "192.0.0.0/24"), ("documentation", "192.0.2.0/24"),
        ("6to4 relays", "192.88.99.0/24"), ("private", "192.168.0.0/16"), ("benchmarking", "198.18.0.0/15"),
        ("documentation", "198.51.100.0/24"), ("documentation", "203.0.113.0/24"),
        ("broadcast", "255.255.255.255/32"), ("reserved", "240.0.0.0/4"),
    ]
    /// IANA's IPv6 Special-Purpose Address Registry as of 2025-10-09, likewise; the whole of 2001::/23, although an anycast service of the
    /// network, AMT, AS112 or ORCHIDv2 in it is globally reachable. IPv4-mapped addresses are decided as IPv4.
    static let registeredIPv6 = [
        ("unspecified", "::/128"), ("loopback", "::1/128"), ("local NAT64", "64:ff9b:1::/48"),
        ("discard-only", "100::/64"), ("dummy", "100:0:0:1::/64"), ("Teredo", "2001::/32"),
        ("benchmarking", "2001:2::/48"), ("protocol assignments", "2001::/23"), ("documentation", "2001:db8::/32"),
        ("6to4", "2002::/16"), ("documentation", "3fff::/20"), ("segment routing", "5f00::/16"),
        ("unique-local", "fc00::/7"), ("link-local", "fe80::/10"),
    ]
    /// Not in those registries: multicast (RFC 5771; RFC 4291, section 2.7) and site-local (RFC 3879).
    static let others = [("multicast", "224.0.0.0/4"), ("site-local", "fec0::/10"), ("multicast", "ff00::/8")]

    private static let v4 = Self.ranges(Self.registeredIPv4 + Self.others)
    private static let v6 = Self.ranges(Self.registeredIPv6 + Self.others)

    private static func ranges(_ rows: [(String, String)]) -> [(prefix: Prefix, name: String)] {
        rows.compactMap { name, text in
            guard let entry = try? PolicyEntry(text), let prefix = entry.network else { return nil }
            return (prefix, "\(name) (\(text))")
        }
    }

    static func name(of address: IPAddress) -> String? {
        let ranges = address.isIPv4 ? self.v4 : self.v6
        if let range = ranges.first(where: { $0.prefix.contains(address) }) { return range.name }
        // An address decided by its embedded one is judged by that one.
        if address.isIPv4 || address.high >> 61 == 1 || address.wellKnownTranslation != nil { return nil }
        return "not global unicast (outside 2000::/3)"
    }
}

/// Cloud metadata services, which hold secrets: opened only by an entry of `allow` for this very address, or an exact name.
///
/// Collected in November 2026 from what providers are known to use; not a registry, so it may lack some.
enum CloudMetadata {
    static let services = [
        ("AWS, Azure, Google and others", "169.254.169.254"), ("AWS", "fd00:ec2::254"),
        ("AWS, of a container", "169.254.170.2"), ("AWS, of a pod", "169.254.170.23"),
        ("AWS, of a pod", "fd00:ec2::23"),
        ("Azure", "168.63.129.16"), ("Google", "fd20:ce::254"), ("Alibaba", "100.100.100.200"),
        ("Oracle", "192.0.0.192"), ("Oracle", "fd00:c1::a9fe:a9fe"), ("Tencent", "169.254.0.23"),
        ("Scaleway", "169.254.42.42"),
        ("Scaleway", "fd00:42::42"), ("Akamai", "fd00:a9fe:a9fe::1"), ("OpenStack", "fe80::a9fe:a9fe"),
        ("Rancher", "169.254.169.250"),
    ]
    private static let names = Dictionary(
        Self.services.compactMap { name, text in IPAddress(text).map { ($0, "cloud metadata (\(name))") } },
        uniquingKeysWith: { first, _ in first })

    static func name(of address: IPAddress) -> String? { self.names[address] }
}
