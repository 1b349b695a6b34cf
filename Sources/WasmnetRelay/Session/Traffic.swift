import NIOCore
import WasmnetProtocol
import WasmnetQuota

/// The bytes of a session's sockets, both ways, as ``ReadScheduler`` and ``ClientBudget`` decide: they are drawn from the client's limits
/// before they pass, and at a limit reading waits. On the session's event loop.
final class Traffic {
    private let core: SessionCore
    private let table: SocketTable
    private let messages: ClientMessages
    private let log: SessionLog
    private let carrier: any SessionCarrier
    private let budget: ClientBudget
    private var scheduler: ReadScheduler

    /// Sockets with unflushed bytes.
    private var unflushed: [TargetStream] = []
    /// Messages arrived; the end of their read flushes.
    private var isInCarrierRead = false
    /// Bytes by which the session's windows have grown.
    private var windowGrowth = 0
    /// The largest window that has grown since none had, in bytes.
    private(set) var widestWindow = 0

    /// When work that waits for the client's limits tries again.
    private static let retry = TimeAmount.milliseconds(1)

    init(
        _ core: SessionCore, _ table: SocketTable, _ messages: ClientMessages, _ log: SessionLog,
        carrier: any SessionCarrier
    ) {
        self.core = core
        self.table = table
        self.messages = messages
        self.log = log
        self.carrier = carrier
        self.budget = ClientBudget(core, table, log)
        let settings = core.environment.settings
        self.scheduler = ReadScheduler(
            chunk: settings.readChunkBytes, largestRead: settings.wideReadChunkBytes, turnBytes: settings.readTurnBytes)
    }

    // MARK: From targets to the client

    /// A socket has bytes from its target.
    func offer(_ stream: TargetStream) {
        let isUrgent = stream.isInteractive && self.carrier.acceptsUrgentData
        if self.scheduler.hasRead(stream.id, isUrgent: isUrgent), let piece = stream.nextPiece() {
            self.messages.sendData(stream.id, piece, as: stream.encoding)
        } else if self.scheduler.nobodyWaits {
            if !self.carrier.hasRoom { self.carrier.flushNow() }
            while self.carrier.hasRoom, let piece = stream.nextPiece() {
                self.messages.sendData(stream.id, piece, as: stream.encoding)
            }
        }
        if stream.hasTargetBytes {
            // Without credit it waits for the client's window, not for a turn.
            if !stream.awaitsCredit() { self.scheduler.queue(stream.id) }
        } else {
            stream.handedOver()
            self.readWanted(stream)
        }
    }

    /// There is room: waiting sockets send in turns, then those whose reads were deferred read.
    private func takeTurns() {
        guard self.core.phase != .ended else { return }
        while self.carrier.hasRoom, let id = self.scheduler.next() {
            guard let stream = self.table.stream(id), let piece = stream.nextPiece() else {
                self.scheduler.sent(id, bytes: 0, hasMore: false)
                continue
            }
            self.messages.sendData(id, piece, as: stream.encoding)
            let hasMore = stream.hasTargetBytes && !stream.awaitsCredit()
            self.scheduler.sent(id, bytes: piece.readableBytes, hasMore: hasMore)
            if !stream.hasTargetBytes {
                stream.handedOver()
                self.readWanted(stream)
            }
        }
        self.resumeReaders()
    }

    /// A socket can be read: it is, or waits in line until it may.
    func readWanted(_ socket: some ReadingSocket) {
        guard socket.mayRead else { return }
        let read = self.scheduler.read(
            socket.id, isInteractive: socket.isInteractive, hasRoom: self.carrier.hasRoom, mayRead: self.limitsAllow(),
            quantum: self.readQuantum)
        switch read {
        case .now(let limit): socket.read(limit: limit)
        case .later(let isNew): if isNew { self.log.readingPaused(.down) }
        }
    }

    private func resumeReaders() {
        while self.carrier.hasRoom, self.scheduler.hasReaders, self.limitsAllow() {
            guard let id = self.scheduler.nextReader() else { return }
            guard self.resumeReader(id) else { continue }
            // One at a time if every read may spend the budget; its charge decides about the next. One with nothing to read must
            // not make the others wait.
            if self.budget.isPaced {
                if self.scheduler.hasReaders { self.budget.resume(in: Self.retry, then: self.resume) }
                break
            }
        }
    }

    /// Reads a waiting socket; false if it has nothing to read by now.
    private func resumeReader(_ id: SocketID) -> Bool {
        switch self.table[id] {
        case .stream(let stream)? where stream.mayRead: stream.read(limit: self.readLimit)
        case .datagram(let socket)? where socket.mayRead: socket.read(limit: self.readLimit)
        default: return false
        }
        return true
    }

    private var readLimit: Int { self.scheduler.limit(self.readQuantum) }

    /// Reads are large on high-bandwidth connections: messages are expensive for a browser, whatever their size.
    private var readQuantum: Int {
        min(self.budget.readQuantum, max(self.core.environment.settings.readChunkBytes, self.carrier.piece ?? 0))
    }

    /// A turn of the event loop is over.
    func turnEnded() {
        self.scheduler.turnEnded()
        self.messages.settleCosts()
    }

    func carrierHasRoom() {
        self.core.readTime()
        if self.scheduler.replyBacklogExceeded, !self.carrier.replyBacklogExceeded {
            self.scheduler.replyBacklogExceeded = false
            self.updateReading()
        }
        self.takeTurns()
    }

    /// Whether a datagram finds room; otherwise it is dropped.
    func takesDatagram() -> Bool {
        self.core.readTime()
        return self.carrier.hasRoom && !self.carrier.replyBacklogExceeded
    }

    /// Whether one read may spend the rest of the client's limits.
    var isPaced: Bool { self.budget.isPaced }

    /// A socket has nothing left to send to the client, and holds nothing up.
    func forget(_ socket: some SessionSocket) {
        if self.table.holds(socket) { self.scheduler.forget(socket.id) }
        self.releaseUploads(socket)
    }

    // MARK: From the client to targets

    /// The most bytes that one read of the carrier should bring.
    var uploadQuantum: Int { self.budget.readQuantum }

    /// A message of the carrier arrived, and more may come with it.
    func carrierReadBegins() {
        self.isInCarrierRead = true
    }

    func carrierReadComplete() {
        self.isInCarrierRead = false
        self.flushSockets()
        self.messages.settleCosts()
        // Pongs are answers as well, and no message arrives with a ping.
        if self.carrier.replyBacklogExceeded { self.scheduler.replyBacklogExceeded = true }
        self.updateReading()
    }

    /// A message was answered, or may have been.
    func answered() {
        guard self.carrier.replyBacklogExceeded, !self.scheduler.replyBacklogExceeded else { return }
        self.scheduler.replyBacklogExceeded = true
        self.updateReading()
    }

    /// A socket without credit holds more of the client's bytes than it may.
    func holdUploads(_ socket: TargetStream) {
        if self.scheduler.holdUploads(of: ObjectIdentifier(socket)) { self.log.readingPaused(.up) }
    }

    func releaseUploads(_ socket: some SessionSocket) {
        if self.scheduler.releaseUploads(of: ObjectIdentifier(socket)) { self.updateReading() }
    }

    private func updateReading() {
        guard self.core.phase != .ended else { return }
        self.carrier.setReading(
            self.scheduler.readsCarrier && !self.budget.hasWaitingUpload && self.limitsAllow() && self.refusalsAllow())
    }

    /// A socket holds bytes to send: flushed at the end of the carrier's read, otherwise at the end of the loop's turn.
    func needsFlush(_ stream: TargetStream) {
        if !self.isInCarrierRead, self.unflushed.isEmpty {
            self.core.eventLoop.assumeIsolated().execute { self.flushSockets() }
        }
        self.unflushed.append(stream)
    }

    private func flushSockets() {
        guard !self.unflushed.isEmpty else { return }
        let streams = self.unflushed
        self.unflushed.removeAll(keepingCapacity: streams.count <= 64)
        for stream in streams { stream.flush() }
    }

    /// By how many bytes the session's windows may still grow.
    var windowRoom: Int { max(0, self.core.environment.settings.maxSessionWindowBytes - self.windowGrowth) }

    func windowGrew(by bytes: Int, to size: Int) {
        self.windowGrowth += bytes
        self.widestWindow = max(self.widestWindow, size)
    }

    func windowEnded(grownBy bytes: Int) {
        self.windowGrowth -= bytes
        if self.windowGrowth == 0 { self.widestWindow = 0 }
    }

    // MARK: The client's limits

    /// A socket's bytes toward its target: as many as may pass continue at once, the rest waits, and with it the client's messages.
    func passUp(_ data: ByteBuffer, to stream: TargetStream) {
        guard !self.budget.passUp(data, to: stream) else { return }
        self.updateReading()
        self.budget.resume(in: Self.retry, then: self.resume)
    }

    /// How many of `count` bytes from a target the client may have now. The socket keeps the rest until ``TargetStream/drawAgain()``.
    func drawDown(_ count: Int, for stream: TargetStream) -> Int {
        let drawn = self.budget.drawDown(count, for: stream)
        if drawn < count, self.budget.hasWaitingDownloads { self.budget.resume(in: Self.retry, then: self.resume) }
        return drawn
    }

    /// Charges a datagram, whole or not at all.
    func drawDatagram(_ count: Int, _ direction: Direction) -> Bool {
        if direction == .down { self.messages.countDatagram() }
        return self.budget.drawDatagram(count, direction)
    }

    /// False when the bandwidth is spent; then everything resumes by itself when it no longer is.
    private func limitsAllow() -> Bool { self.budget.allowsReading(orElse: self.resume) }

    /// The client's limits may allow more: work that waited for them is retried, then sockets that waited for a turn or a read.
    private func resume() {
        self.core.readTime()
        if let (stream, data) = self.budget.takeWaitingUpload() { self.passUp(data, to: stream) }
        for stream in self.budget.takeWaitingDownloads() { stream.drawAgain() }
        self.updateReading()
        self.takeTurns()
    }

    // MARK: Messages without effect

    /// Answers a message without effect.
    func refuse(_ id: SocketID, _ refusal: Refusal, _ encoding: WireEncoding) {
        guard self.core.phase != .ended else { return }
        self.countRefusal()
        self.messages.send(.refused(id, refusal), as: encoding)
    }

    /// A message had no effect. Above the client's rate for these its messages are not read for a while.
    func countRefusal() {
        if self.budget.countRefusal() { self.updateReading() }
    }

    /// Whether a turn of the client's messages may begin: another session of the client may have sent too many without effect meanwhile.
    var takesMessages: Bool {
        if self.core.phase == .ended || self.refusalsAllow() { return true }
        self.updateReading()
        return false
    }

    private func refusalsAllow() -> Bool { self.budget.allowsMessages(orElse: self.updateReading) }

    // MARK: The end

    /// The session and its sockets have ended: accepted bytes go out, and nothing waits any more.
    func end() {
        self.isInCarrierRead = false
        self.flushSockets()
        self.messages.settleCosts()
        self.budget.end()
        self.scheduler.forgetReaders()
    }
}

@available(*, unavailable)
extension Traffic: Sendable {}
