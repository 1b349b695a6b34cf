import Glibc
package import NIOCore
package import WasmnetPolicy

extension SocketAddress {
    package init(_ address: IPAddress, port: UInt16) throws {
        try self.init(packedIPAddress: ByteBuffer(bytes: address.bytes), port: Int(port))
    }

    /// The address without its port; an IPv4 address that came mapped into IPv6 as itself.
    package var hostAddress: IPAddress? {
        guard self.protocol == .inet || self.protocol == .inet6 else { return nil }
        return self.withSockAddr { raw, _ in IPAddress(socketAddress: UnsafeRawPointer(raw)) }?.withoutV4Mapping
    }

    /// The unspecified address of the same family, with the same port.
    var withoutHost: SocketAddress? {
        guard let address = self.hostAddress else { return nil }
        return try? SocketAddress(
            address.isIPv4 ? .unspecifiedV4 : .unspecified, port: UInt16(clamping: self.port ?? 0))
    }

    /// "ip:port", "[ip6]:port".
    package var endpointText: String {
        guard let address = self.hostAddress else { return "unknown" }
        return address.endpointText(port: UInt16(clamping: self.port ?? 0))
    }
}

extension IPAddress {
    package func endpointText(port: UInt16) -> String {
        self.isIPv4 ? "\(self):\(port)" : "[\(self)]:\(port)"
    }
}

extension IPAddress {
    /// `::`
    static let unspecified = IPAddress(v6: 0, low: 0)
    /// `0.0.0.0`
    static let unspecifiedV4 = IPAddress(v4: (0, 0, 0, 0))

    /// a.b.c.d as ::ffff:a.b.c.d; an IPv6 address as itself.
    var mapped: IPAddress {
        guard self.isIPv4 else { return self }
        let bytes = self.bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return IPAddress(v6: 0, low: 0xFFFF_0000_0000 | bytes)
    }
}

extension IPAddress {
    /// The address in a `sockaddr_in` or `sockaddr_in6` (ip(7), ipv6(7)); nil for any other family.
    init?(socketAddress raw: UnsafeRawPointer) {
        switch CInt(raw.load(as: sa_family_t.self)) {
        case AF_INET: self.init(bytes: UnsafeRawBufferPointer(start: raw + 4, count: 4))
        case AF_INET6: self.init(bytes: UnsafeRawBufferPointer(start: raw + 8, count: 16))
        default: return nil
        }
    }
}
