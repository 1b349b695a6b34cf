import Glibc
package import NIOCore
package import WasmnetNet

extension SocketAddress {
    package init(_ address: IPAddress, port: UInt16) throws {
        try self.init(packedIPAddress: ByteBuffer(bytes: address.bytes), port: Int(port))
    }

    /// The address without its port; an IPv4-mapped IPv6 address is returned as IPv4.
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
