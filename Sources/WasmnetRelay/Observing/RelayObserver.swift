package import NIOHTTP1
package import WasmnetProtocol
package import WasmnetQuota

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

/// A step of a socket's opening whose time is measured.
package enum OpeningStep: String, Sendable, CaseIterable {
    case resolve
    case dial
    case tls
}

/// What another policy would have decided about an open.
package enum ShadowVerdict: String, Sendable, CaseIterable {
    case same
    case wouldAllow = "would_allow"
    case wouldDeny = "would_deny"
}

/// The relay's events. Called on event loops: an implementation must not block.
package protocol RelayObserver: Sendable {
    /// A session is about to open: returns its trace context, which is kept with it and passed back in each ``SessionOrigin``.
    func trace(of request: HTTPRequestHead) -> (any Sendable)?
    func sessionOpened(_ session: SessionOrigin)
    func sessionEnded(_ session: SessionOrigin, _ reason: ReasonCode, nanoseconds: Int64)
    /// A request for a session that was refused.
    func sessionRefused(_ reason: ReasonCode)
    func socketOpened(_ kind: SocketKind)
    /// An open that failed.
    func openRefused(_ socket: SocketRecord, of session: SessionOrigin, _ refusal: Refusal, at now: Int64)
    func socketEnded(_ socket: SocketRecord, of session: SessionOrigin, _ reason: ReasonCode, at now: Int64)
    func took(_ step: OpeningStep, nanoseconds: Int64)
    func relayed(_ direction: Direction, bytes: Int)
    func datagramDropped(_ direction: Direction)
    /// Up: a session's WebSocket is no longer read, since a target accepts no bytes. Down: a target waits for room toward the client.
    func readingPaused(_ direction: Direction)
    func quotaRefused(_ kind: QuotaKind)
    /// A client's bytes wait, since its bandwidth is used up for now.
    func bandwidthWaited()
    /// A message without effect, or a ping: counted in `refusals_per_sec`.
    func messageRefused()
    /// A client's messages wait, since too many of them had no effect.
    func refusalsWaited()
    /// - Parameter decided: what the policy in force decided, and why the other differs, in words.
    func shadowDecided(_ verdict: ShadowVerdict, _ words: @autoclosure () -> String, of session: SessionOrigin)
}
