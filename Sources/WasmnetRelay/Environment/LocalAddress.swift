import CLinux
import Glibc
import NIOCore
import WasmnetNet
import WasmnetPolicy

/// Whether an address is one of this machine's own. The kernel is asked each time, so that one that is added or taken away counts at
/// once; it is asked about ports of the node's own alone.
enum LocalAddress {
    static func isOwn(_ address: IPAddress) -> Bool {
        self.isOwn(address, byRoute: self.routeIsLocal)
    }

    /// - Parameter byRoute: asks for the kind of the route to an address; nil where the kernel cannot be asked.
    static func isOwn(_ address: IPAddress, byRoute: (IPAddress) -> Bool?) -> Bool {
        let address = address.withoutV4Mapping
        if address.isLoopback || address.bytes.allSatisfy({ $0 == 0 }) { return true }
        return byRoute(address) ?? self.isItsOwnSource(address)
    }

    /// What the routing table says: whole networks may be the machine's own, as by `ip route add local`, without being an address of
    /// any interface. Nil where netlink is not allowed.
    private static func routeIsLocal(_ address: IPAddress) -> Bool? {
        let answer = address.bytes.withUnsafeBytes {
            wasmnet_route_is_local(address.isIPv4 ? AF_INET : AF_INET6, $0.baseAddress)
        }
        return answer < 0 ? nil : answer == 1
    }

    /// Toward an address of its own the kernel takes this address as the source too. It is silent about local routes to whole networks.
    private static func isItsOwnSource(_ address: IPAddress) -> Bool {
        // Port 9 is discard; connect sends nothing.
        guard let target = try? SocketAddress(address, port: 9) else { return true }
        let kind = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let file = socket(address.isIPv4 ? AF_INET : AF_INET6, kind, 0)
        // What cannot be asked is taken for its own.
        guard file >= 0 else { return errno != EAFNOSUPPORT }
        defer { close(file) }
        guard target.withSockAddr({ Glibc.connect(file, $0, socklen_t($1)) }) == 0 else {
            return !self.noWay.contains(errno)
        }
        var source = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutableBytes(of: &source) { raw in
            guard let base = raw.baseAddress,
                getsockname(file, base.assumingMemoryBound(to: sockaddr.self), &length) == 0
            else { return true }
            return IPAddress(socketAddress: base) == address
        }
    }

    /// No route leads there, so that it is no address of the machine.
    private static let noWay: Set<CInt> = [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, EADDRNOTAVAIL]
}
