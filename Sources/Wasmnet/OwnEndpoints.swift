import NIOCore
import NIOPosix
import WasmnetPolicy
import WasmnetRelay

/// The addresses under which a node's own port can be reached from the node itself.
enum OwnEndpoints {
    static func of(_ address: SocketAddress) -> [ProtectedEndpoint] {
        let port = UInt16(clamping: address.port ?? 0)
        guard let bare = address.bareAddress else { return [] }
        let isWildcard = bare.bytes.allSatisfy { $0 == 0 }
        guard isWildcard else { return [ProtectedEndpoint(address: bare, port: port)] }
        let local = ((try? System.enumerateDevices()) ?? []).compactMap { $0.address?.bareAddress }
        return [ProtectedEndpoint(address: nil, port: port)]
            + local.map { ProtectedEndpoint(address: $0, port: port) }
    }
}
