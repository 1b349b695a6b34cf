import CoreMetrics
import NIOHTTP1
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay

/// Counts, logs and traces the relay's events.
struct NodeObserver: RelayObserver {
    let metrics: NodeMetrics
    let accessLog: AccessLog
    let traces: SocketTraces

    func trace(of request: HTTPRequestHead) -> (any Sendable)? { self.traces.context(of: request) }

    func sessionOpened(_ session: SessionOrigin) {
        self.metrics.sessionAdmitted.increment()
        self.metrics.sessions.increment(by: 1)
        self.accessLog.sessionOpened(session)
    }

    func sessionEnded(_ session: SessionOrigin, _ reason: ReasonCode, nanoseconds: Int64) {
        self.metrics.sessions.decrement(by: 1)
        self.accessLog.sessionEnded(session, reason, nanoseconds: nanoseconds)
        self.traces.sessionEnded(session, reason, nanoseconds: nanoseconds)
    }

    func sessionRefused(_ reason: ReasonCode) { self.metrics.sessionRefused[reason]?.increment() }

    func socketOpened(_ kind: SocketKind) {
        self.metrics.opened[kind]?.increment()
        self.metrics.sockets[kind]?.increment(by: 1)
    }

    func openRefused(_ socket: SocketRecord, of session: SessionOrigin, _ refusal: Refusal, at now: Int64) {
        self.metrics.refused[socket.kind]?[refusal.code]?.increment()
        self.metrics.denials[refusal.code]?.increment()
        self.accessLog.openRefused(socket, of: session, refusal, at: now)
        self.traces.socketEnded(socket, of: session, refusal.code, at: now)
    }

    func socketEnded(_ socket: SocketRecord, of session: SessionOrigin, _ reason: ReasonCode, at now: Int64) {
        self.metrics.sockets[socket.kind]?.decrement(by: 1)
        self.metrics.closes[reason]?.increment()
        self.metrics.denials[reason]?.increment()
        self.accessLog.socketEnded(socket, of: session, reason, at: now)
        self.traces.socketEnded(socket, of: session, reason, at: now)
    }

    func took(_ step: OpeningStep, nanoseconds: Int64) {
        self.metrics.steps[step]?.recordNanoseconds(nanoseconds)
    }

    func relayed(_ direction: Direction, bytes: Int) {
        (direction == .up ? self.metrics.bytesUp : self.metrics.bytesDown).increment(by: bytes)
    }

    func datagramDropped(_ direction: Direction) { self.metrics.datagramsDropped[direction]?.increment() }

    func readingPaused(_ direction: Direction) {
        (direction == .up ? self.metrics.clientPauses : self.metrics.targetPauses).increment()
    }

    func quotaRefused(_ kind: QuotaKind) { self.metrics.quotaRefusals[kind]?.increment() }

    func bandwidthWaited() { self.metrics.bandwidthWaits.increment() }

    func messageRefused() { self.metrics.refusedMessages.increment() }

    func refusalsWaited() { self.metrics.refusalWaits.increment() }

    func shadowDecided(_ verdict: ShadowVerdict, _ words: @autoclosure () -> String, of session: SessionOrigin) {
        self.metrics.shadow[verdict]?.increment()
        if verdict != .same { self.accessLog.shadowDiffers(verdict, words(), of: session) }
    }
}
