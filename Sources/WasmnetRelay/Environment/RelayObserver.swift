package import WasmnetProtocol

/// What kind of socket: a closed list, fit for a metric label.
package enum SocketKind: String, Sendable, CaseIterable {
    case tcp
    case tls
    case udp
    case listener
    case udpListener = "udp_listener"
    case accepted
}

package enum Direction: String, Sendable, CaseIterable {
    /// From the client to the target.
    case up
    /// From the target to the client.
    case down
}

/// What the relay tells of its work. Called on event loops: an implementation must not block.
package protocol RelayObserver: Sendable {
    func sessionOpened()
    func sessionEnded(_ reason: ReasonCode)
    func socketOpened(_ kind: SocketKind)
    /// An open that did not come to be.
    func openRefused(_ kind: SocketKind, _ reason: ReasonCode)
    func socketEnded(_ kind: SocketKind, _ reason: ReasonCode)
    func relayed(_ direction: Direction, bytes: Int)
    func datagramDropped(_ direction: Direction)
    /// A session's WebSocket is no longer read because a target takes no bytes.
    func uploadPaused()
}

/// Observes nothing.
package struct SilentObserver: RelayObserver {
    package init() {}
    package func sessionOpened() {}
    package func sessionEnded(_ reason: ReasonCode) {}
    package func socketOpened(_ kind: SocketKind) {}
    package func openRefused(_ kind: SocketKind, _ reason: ReasonCode) {}
    package func socketEnded(_ kind: SocketKind, _ reason: ReasonCode) {}
    package func relayed(_ direction: Direction, bytes: Int) {}
    package func datagramDropped(_ direction: Direction) {}
    package func uploadPaused() {}
}
