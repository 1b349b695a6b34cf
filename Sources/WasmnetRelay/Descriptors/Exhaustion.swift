import Glibc
package import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol

/// The system has no descriptors, buffers or memory left for one more socket.
package enum Exhaustion {
    private static let codes: Set<Int32> = [EMFILE, ENFILE, ENOBUFS, ENOMEM]
    /// How long a listener pauses before it accepts again: the waiting connection would wake it at once, again and again.
    private static let rest = TimeAmount.milliseconds(200)

    package static func isResourceExhaustion(_ error: any Error) -> Bool {
        (error as? IOError).map { self.isResourceExhaustion(errno: $0.errnoCode) } ?? false
    }

    static func isResourceExhaustion(errno code: CInt) -> Bool { self.codes.contains(code) }

    /// Belongs at the start of a listener's own pipeline.
    package static func makeAcceptHandler() -> AcceptBackoffHandler {
        AcceptBackoffHandler(shouldForwardIOErrorCaught: false) { self.isResourceExhaustion($0) ? self.rest : nil }
    }
}

extension Refusal {
    /// The system refused to bind an address.
    static func notBound(_ address: IPAddress, _ port: UInt16, _ error: any Error) -> Refusal {
        Exhaustion.isResourceExhaustion(error)
            ? .noResources : Refusal(.addressInUse, "\(address.endpointText(port: port)) cannot be bound")
    }

    static let noResources = Refusal(
        .overloaded, "the node has no resources left for a connection", retryAfterMilliseconds: 1000)
}
