import CLinux
import Glibc
import NIOCore
import WasmnetNet
import WasmnetPolicy

/// Whether an address is one of this machine's own. The kernel is asked each time, so that an address added or removed counts at
/// once; only the node's own ports require it.
enum LocalAddress {
    static func isOwn(_ address: IPAddress) -> Bool {
        self.isOwn(address, byRoute: self.routeIsLocal)
    }

    /// - Parameter byRoute: returns whether the route to an address is local; nil if the kernel cannot be asked.
    static func isOwn(_ address: IPAddress, byRoute: (IPAddress) -> Bool?) -> Bool {
        let address = address.withoutV4Mapping
        if address.isLoopback || address.isUnspecified { return true }
        return byRoute(address) ?? self.isItsOwnSource(address)
    }

    /// By the routing table: whole networks may be local, as by `ip route add local`, without being an address of
    /// any interface. Nil if netlink is not allowed.
    private static func routeIsLocal(_ address: IPAddress) -> Bool? {
        let answer = address.bytes.withUnsafeBytes {
            wasmnet_route_is_local(address.isIPv4 ? AF_INET : AF_INET6, $0.baseAddress)
        }
        return answer < 0 ? nil : answer == 1
    }

    /// For one of its own addresses the kernel chooses the same address as the source. This does not show local routes to whole networks.
    private static func isItsOwnSource(_ address: IPAddress) -> Bool {
        // Port 9 is discard; connect sends nothing.
        guard let target = try? SocketAddress(address, port: 9) else { return true }
        let kind = CInt(SOCK_DGRAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
        let file = socket(address.isIPv4 ? AF_INET : AF_INET6, kind, 0)
        // If in doubt, it is considered its own.
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

    /// There is no route to it, so that it is no address of the machine.
    private static let noWay: Set<CInt> = [ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL, EADDRNOTAVAIL]
}
