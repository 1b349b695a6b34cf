import NIOCore
import WasmnetProtocol
import WasmnetQuota

/// The client's limits, as used by one session: what may pass now, what waits, and how long. Only running out of the day's bytes ends
/// anything. On the session's event loop.
final class ClientBudget {
    private let core: SessionCore
    private let table: SocketTable
    private let log: SessionLog
    /// Bytes that the client may not send yet, and their socket: the WebSocket is not read meanwhile.
    private var waitingUpload: (stream: TargetStream, data: ByteBuffer)?
    /// Sockets with bytes that their clients may not receive yet.
    private var waitingDownloads: [TargetStream] = []
    private var limitsTask: Scheduled<Void>?
    private var refusalsTask: Scheduled<Void>?

    init(_ core: SessionCore, _ table: SocketTable, _ log: SessionLog) {
        self.core = core
        self.table = table
        self.log = log
    }

    private var allowance: any ClientAllowance { self.core.allowance }
    private var now: QuotaInstant { self.core.environment.clock.now() }

    /// The most bytes of one read.
    var readQuantum: Int { self.allowance.readQuantum }
    /// Whether the client has a bandwidth limit: then one read may spend it.
    var isPaced: Bool { self.readQuantum < .max }

    // MARK: Bytes

    /// A socket's bytes toward its target: as many as may pass continue at once, the rest waits.
    ///
    /// - Returns: false if bytes are waiting.
    func passUp(_ data: ByteBuffer, to stream: TargetStream) -> Bool {
        let count = data.readableBytes
        let drawn = self.draw(count, .up)
        guard drawn < count else {
            stream.forward(data)
            return true
        }
        var data = data
        if drawn > 0, let part = data.readSlice(length: drawn) { stream.forward(part) }
        guard self.dayIsLeft else { return true }
        self.waitingUpload = (stream, data)
        return false
    }

    /// How many bytes from a target the client may have now. If fewer than all, the socket waits, unless the day's bytes are spent.
    func drawDown(_ count: Int, for stream: TargetStream) -> Int {
        let drawn = self.draw(count, .down)
        if drawn < count, self.dayIsLeft, !self.waitingDownloads.contains(where: { $0 === stream }) {
            self.waitingDownloads.append(stream)
        }
        return drawn
    }

    /// Charges a datagram, whole or not at all.
    func drawDatagram(_ count: Int, _ direction: Direction) -> Bool {
        count == 0 || self.draw(count, direction) == count
    }

    private func draw(_ count: Int, _ direction: Direction) -> Int {
        let now = self.now
        let drawn = self.allowance.draw(bytes: count, now: now)
        if drawn > 0 { self.log.relayed(direction, bytes: drawn) }
        if let refusal = self.allowance.dayBytesExhausted(now: now) { self.endAll(refusal) }
        return drawn
    }

    private var dayIsLeft: Bool { self.allowance.dayBytesExhausted(now: self.now) == nil }

    /// The day's bytes are spent: every socket ends once what was drawn for it is delivered. At the end of the turn, not within an event.
    private func endAll(_ refusal: QuotaRefusal) {
        self.waitingUpload = nil
        self.waitingDownloads = []
        self.core.eventLoop.assumeIsolated().execute {
            for socket in self.table.all {
                if socket.core.isOpen {
                    socket.windUp(.byteQuota, refusal.message)
                } else {
                    socket.fail(Refusal(refusal))
                }
            }
        }
    }

    // MARK: Waiting

    var hasWaitingUpload: Bool { self.waitingUpload != nil }
    var hasWaitingDownloads: Bool { !self.waitingDownloads.isEmpty }

    func takeWaitingUpload() -> (stream: TargetStream, data: ByteBuffer)? { self.waitingUpload.take() }

    func takeWaitingDownloads() -> [TargetStream] {
        defer { self.waitingDownloads = [] }
        return self.waitingDownloads
    }

    /// False while the bandwidth is spent; then `body` is called when it no longer is.
    func allowsReading(orElse body: @autoclosure () -> (() -> Void)) -> Bool {
        let now = self.now
        guard let until = self.allowance.pause(now: now) else { return true }
        if self.limitsTask == nil {
            self.log.bandwidthWaited()
            self.resume(in: Self.wait(until, now), then: body())
        }
        return false
    }

    /// Calls back after a while, unless a call is already scheduled.
    func resume(in wait: TimeAmount, then body: @autoclosure () -> (() -> Void)) {
        guard self.limitsTask == nil else { return }
        let body = body()
        self.limitsTask = self.core.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            self.limitsTask = nil
            body()
        }
    }

    // MARK: Messages without effect

    /// - Returns: whether there are too many by now.
    func countRefusal() -> Bool {
        self.log.messageRefused()
        let now = self.now
        self.allowance.onNode.refusals.count(now: now)
        return self.allowance.onNode.refusals.pause(now: now) != nil
    }

    /// False after too many messages without effect; then `body` is called when messages may be taken again.
    func allowsMessages(orElse body: @autoclosure () -> (() -> Void)) -> Bool {
        let now = self.now
        guard let until = self.allowance.onNode.refusals.pause(now: now) else { return true }
        guard self.refusalsTask == nil else { return false }
        self.log.refusalsWaited()
        let body = body()
        self.refusalsTask = self.core.eventLoop.assumeIsolated().scheduleTask(in: Self.wait(until, now)) {
            self.refusalsTask = nil
            body()
        }
        return false
    }

    private static func wait(_ until: QuotaInstant, _ now: QuotaInstant) -> TimeAmount {
        .microseconds(max(1000, until.microseconds - now.microseconds))
    }

    // MARK: The end

    /// The session has ended: stops waiting.
    func end() {
        self.limitsTask?.cancel()
        self.refusalsTask?.cancel()
        self.waitingUpload = nil
        self.waitingDownloads = []
    }
}

@available(*, unavailable)
extension ClientBudget: Sendable {}
