package import WasmnetNet

/// A prefix by which a network's translator writes IPv4 addresses as IPv6 ones (RFC 6052, section 2.2).
package struct NAT64Prefix: Hashable, Sendable, CustomStringConvertible {
    package let prefix: Prefix

    /// The lengths in RFC 6052, the most common one first.
    private static let lengths = [96, 64, 56, 48, 40, 32]
    /// The addresses of ipv4only.arpa (RFC 7050, section 8.2).
    private static let wellKnown = [IPAddress(v4: (192, 0, 0, 170)), IPAddress(v4: (192, 0, 0, 171))]

    /// Nil for a length not in RFC 6052, and for networks without translators: those that never leave the machine or the link, and
    /// multicast.
    package init?(_ prefix: Prefix) {
        let high = prefix.address.high
        let isPlausible = high >> 61 == 1 || high >> 57 == 0xFC >> 1 || high >> 16 == 0x0064_FF9B_0001
        guard !prefix.address.isIPv4, Self.lengths.contains(prefix.length), isPlausible else { return nil }
        self.prefix = prefix
    }

    package var description: String { self.prefix.description }

    /// The IPv4 address embedded in an address of this network, and whether all bits after it are zero, as a translator's are.
    func translation(of address: IPAddress) -> (inner: IPAddress, isExact: Bool)? {
        guard self.prefix.contains(address) else { return nil }
        return Self.inner(of: address, length: self.prefix.length)
    }

    /// The four bytes after the prefix; byte 8 is skipped and zero.
    private static func inner(of address: IPAddress, length: Int) -> (inner: IPAddress, isExact: Bool)? {
        let bytes = address.bytes
        guard bytes.count == 16 else { return nil }
        let places = (length / 8..<16).filter { $0 != 8 }.prefix(4)
        guard let last = places.last, let inner = IPAddress(bytes: places.map { bytes[$0] }) else { return nil }
        return (inner, bytes[8] == 0 && bytes[(last + 1)...].allSatisfy { $0 == 0 })
    }

    /// The prefixes that a network announces by its answer for ipv4only.arpa (RFC 7050, section 3).
    package static func proxiedAddress(by answer: some Sequence<IPAddress>) -> [NAT64Prefix] {
        var found: [NAT64Prefix] = []
        for address in answer where !address.isIPv4 && address.wellKnownTranslation == nil {
            let length = self.lengths.first { length in
                self.inner(of: address, length: length).map { $0.isExact && self.wellKnown.contains($0.inner) } == true
            }
            guard let length, let prefix = Prefix(address, length: length), let translator = NAT64Prefix(prefix),
                !found.contains(translator), found.count < 8
            else { continue }
            found.append(translator)
        }
        return found
    }
}
