package import WasmnetNet

/// How an address is decided: as itself, as the IPv4 address that it is translated to, or as itself and all addresses embedded in it.
struct AddressReading {
    /// The address as it is dialed; IPv4 if it was written IPv4-mapped.
    let address: IPAddress
    /// The embedded IPv4 addresses.
    let inner: [IPAddress]
    /// Whether only the embedded address decides: NAT64 by a known prefix.
    let isTranslated: Bool

    init(_ address: IPAddress, by translators: [NAT64Prefix]) {
        let address = address.withoutV4Mapping
        self.address = address
        guard !address.isIPv4 else {
            (self.inner, self.isTranslated) = ([], false)
            return
        }
        if let inner = address.wellKnownTranslation {
            (self.inner, self.isTranslated) = ([inner], true)
            return
        }
        for translator in translators {
            guard let (inner, isExact) = translator.translation(of: address) else { continue }
            (self.inner, self.isTranslated) = ([inner], isExact)
            return
        }
        (self.inner, self.isTranslated) = (address.tunneled, false)
    }

    /// The addresses that an entry of `deny` may name.
    var all: [IPAddress] { self.inner.isEmpty ? [self.address] : [self.address] + self.inner }
    /// The addresses that must be allowed, each by itself.
    var judged: [IPAddress] { self.isTranslated ? self.inner : self.all }
}

extension IPAddress {
    private static func low32(_ bits: UInt64) -> IPAddress { IPAddress(v4Bits: UInt32(truncatingIfNeeded: bits)) }

    /// The IPv4 address that an address of 64:ff9b::/96 is translated to (RFC 6052, section 2.1).
    var wellKnownTranslation: IPAddress? {
        guard !self.isIPv4, self.high == 0x0064_FF9B_0000_0000, self.low >> 32 == 0 else { return nil }
        return Self.low32(self.low)
    }

    /// The IPv4 addresses embedded in an IPv6 address that may lead to them by a tunnel or a translator of the network.
    var tunneled: [IPAddress] {
        guard !self.isIPv4 else { return [] }
        var inner: [IPAddress] = []
        // IPv4-compatible (RFC 4291, section 2.5.5.1) and IPv4-translated (RFC 2765, section 2.1).
        if self.high == 0, self.low >> 32 == 0xFFFF_0000 || (self.low >> 32 == 0 && self.low > 1) {
            inner.append(Self.low32(self.low))
        }
        // NAT64 of the local network (RFC 8215), whose prefix of 96 bits is not known here.
        if self.high >> 16 == 0x0064_FF9B_0001 { inner.append(Self.low32(self.low)) }
        // 6to4 (RFC 3056, section 2).
        if self.high >> 48 == 0x2002 { inner.append(Self.low32(self.high >> 16)) }
        // Teredo: the server, and the client with its bits inverted (RFC 4380, section 4).
        if self.high >> 32 == 0x2001_0000 { inner += [Self.low32(self.high), Self.low32(~self.low)] }
        // ISATAP's interface identifier, in any network (RFC 5214, section 6.1); its second bit says whether the address is unique.
        if self.low >> 32 & 0xFDFF_FFFF == 0x0000_5EFE { inner.append(Self.low32(self.low)) }
        return inner
    }

    /// All IPv4 addresses embedded in an IPv6 one, as far as known without the network.
    package var embedded: [IPAddress] {
        if self.isMapped { return [self.withoutV4Mapping] }
        return self.wellKnownTranslation.map { [$0] } ?? self.tunneled
    }
}
