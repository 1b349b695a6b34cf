package import NIOHTTP1
package import WasmnetProtocol
package import WasmnetQuota
package import WasmnetRelay

/// Observes nothing.
package struct SilentObserver: RelayObserver {
    package init() {}
    package func trace(of request: HTTPRequestHead) -> (any Sendable)? { nil }
    package func sessionOpened(_ session: SessionOrigin) {}
    package func sessionEnded(_ session: SessionOrigin, _ reason: ReasonCode, nanoseconds: Int64) {}
    package func sessionRefused(_ reason: ReasonCode) {}
    package func socketOpened(_ kind: SocketKind) {}
    package func openRefused(_ socket: SocketRecord, of session: SessionOrigin, _ refusal: Refusal, at now: Int64) {}
    package func socketEnded(_ socket: SocketRecord, of session: SessionOrigin, _ reason: ReasonCode, at now: Int64) {}
    package func took(_ step: OpeningStep, nanoseconds: Int64) {}
    package func relayed(_ direction: Direction, bytes: Int) {}
    package func datagramDropped(_ direction: Direction) {}
    package func readingPaused(_ direction: Direction) {}
    package func quotaRefused(_ kind: QuotaKind) {}
    package func bandwidthWaited() {}
    package func messageRefused() {}
    package func refusalsWaited() {}
    package func shadowDecided(_ verdict: ShadowVerdict, _ words: @autoclosure () -> String, of session: SessionOrigin)
    {}
}
