import Logging
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// What a session reports: to the node's observer, to the log, and how much it relayed.
final class SessionLog {
    private let core: SessionCore
    private let observer: any RelayObserver
    private let logger: Logger
    private var wasOpened = false
    private(set) var bytesUp: UInt64 = 0
    private(set) var bytesDown: UInt64 = 0

    init(_ core: SessionCore) {
        self.core = core
        self.observer = core.environment.observer
        var logger = core.environment.logger
        logger[metadataKey: "session"] = "\(core.origin.id)"
        self.logger = logger
    }

    private var uptime: Int64 { self.core.environment.uptimeNanoseconds() }

    // MARK: The session

    func sessionOpened() {
        self.wasOpened = true
        let origin = self.core.origin
        self.observer.sessionOpened(origin)
        self.logger.debug(
            "session opened", metadata: ["client": "\(origin.client.commandText)", "version": "\(origin.version)"])
    }

    /// One that never opened counts as refused.
    func sessionEnded(_ reason: ReasonCode) {
        if self.wasOpened {
            let origin = self.core.origin
            self.observer.sessionEnded(origin, reason, nanoseconds: self.uptime - origin.opened)
        } else {
            self.observer.sessionRefused(reason)
        }
        self.logger.debug("session ended", metadata: ["reason": "\(reason.word)"])
    }

    // MARK: Sockets

    func socketOpened(_ kind: SocketKind) { self.observer.socketOpened(kind) }

    /// One that never opened counts as refused.
    func socketEnded(_ socket: SocketCore, _ reason: ReasonCode, _ message: String) {
        guard socket.isOpen else { return self.openRefused(socket.record, Refusal(reason, message)) }
        self.observer.socketEnded(socket.record, of: self.core.origin, reason, at: self.uptime)
    }

    func openRefused(_ record: SocketRecord, _ refusal: Refusal) {
        self.observer.openRefused(record, of: self.core.origin, refusal, at: self.uptime)
    }

    func took(_ step: OpeningStep, nanoseconds: Int64) { self.observer.took(step, nanoseconds: nanoseconds) }

    func shadowDecided(_ verdict: ShadowVerdict, _ words: @autoclosure () -> String) {
        self.observer.shadowDecided(verdict, words(), of: self.core.origin)
    }

    // MARK: Bytes and messages

    func relayed(_ direction: Direction, bytes: Int) {
        switch direction {
        case .up: self.bytesUp += UInt64(bytes)
        case .down: self.bytesDown += UInt64(bytes)
        }
        self.observer.relayed(direction, bytes: bytes)
    }

    func datagramDropped(_ direction: Direction) { self.observer.datagramDropped(direction) }
    func readingPaused(_ direction: Direction) { self.observer.readingPaused(direction) }
    func bandwidthWaited() { self.observer.bandwidthWaited() }
    func messageRefused() { self.observer.messageRefused() }
    func refusalsWaited() { self.observer.refusalsWaited() }
}

@available(*, unavailable)
extension SessionLog: Sendable {}
