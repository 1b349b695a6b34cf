import NIOCore
import WasmnetProtocol
import WasmnetQuota

/// What the client's limits let pass: bytes are drawn before they pass, messages that come to nothing are counted, and where a limit is
/// reached reading waits. Only the end of the day's bytes ends anything.
///
/// A message costs at least 64 bytes of bandwidth and a datagram 28 beyond what it holds, about what each costs on a network, so that
/// many small ones are not free. An answer costs its bytes. None of that counts in the day's bytes or in metrics.
extension Session {
    /// Bytes of bandwidth that a message costs at the least.
    static let messageCost = 64
    /// Bytes of the headers of UDP (RFC 768) and IPv4 (RFC 791).
    static let datagramCost = 28
    /// Bytes of an unfinished message that each session may keep, with its headers.
    static let ownUnfinished = (192 << 10) + 1024

    // MARK: Messages

    func countCost(of request: Request, size: Int) {
        switch request {
        case .send(let id, let data):
            self.overhead += max(self.leastCost(of: id), Self.messageCost - data.readableBytes)
        case .sendTo(_, _, _, let data):
            self.overhead += max(Self.datagramCost, Self.messageCost - data.readableBytes)
        default: self.overhead += max(Self.messageCost, size)
        }
        if self.overhead >= 16 << 10 { self.settleOverhead() }
    }

    /// What data cost beyond their bytes at the least. Data for a socket without a peer come to nothing.
    private func leastCost(of id: SocketID) -> Int {
        guard case .datagram(let socket)? = self.sockets[id], socket.core.kind == .udp else { return 0 }
        return Self.datagramCost
    }

    func settleOverhead() {
        guard self.overhead > 0 else { return }
        self.allowance.charge(overhead: self.overhead, now: self.environment.clock.now())
        self.overhead = 0
    }

    package func receivedPing(bytes: Int) {
        self.overhead += max(bytes, Self.messageCost) + bytes
        self.countRefusal()
    }

    func receivedPong(bytes: Int) {
        self.overhead += max(bytes, Self.messageCost)
    }

    /// A part of a message, which costs as a message does: parts without end are not free, and empty ones come to nothing.
    func receivedFragment(isEmpty: Bool) {
        self.overhead += Self.messageCost
        if isEmpty { self.countRefusal() }
    }

    /// Beyond the first 64 KiB, which fit what programs send at once, a client's sessions share room for messages that are not whole.
    package func keepsUnfinished(bytes: Int) -> Bool {
        guard self.state != .ended else { return true }
        let room = self.allowance.onNode.unfinishedMessages
        let most = max(self.environment.settings.maxUnfinishedBytes, self.environment.settings.maxMessageBytes)
        let shared = max(0, bytes - Self.ownUnfinished)
        if shared > self.sharedUnfinished {
            guard room.take(shared - self.sharedUnfinished, most: most) else { return false }
        } else {
            room.release(self.sharedUnfinished - shared)
        }
        self.sharedUnfinished = shared
        return true
    }

    /// A message came to nothing. Above the client's rate of them its messages are not read for a while.
    func countRefusal() {
        self.environment.observer.messageRefused()
        let now = self.environment.clock.now()
        self.allowance.onNode.refusals.count(now: now)
        if self.allowance.onNode.refusals.pause(now: now) != nil { self.updateReading() }
    }

    /// Whether a turn of the client's messages may begin: another session of the same client may have asked too much in vain meanwhile.
    package var takesMessages: Bool {
        if self.state == .ended || self.refusalsAllow() { return true }
        self.updateReading()
        return false
    }

    func refusalsAllow() -> Bool {
        let now = self.environment.clock.now()
        guard let until = self.allowance.onNode.refusals.pause(now: now) else { return true }
        guard self.refusalTask == nil else { return false }
        self.environment.observer.refusalsWaited()
        let wait = TimeAmount.microseconds(max(1000, until.microseconds - now.microseconds))
        self.refusalTask = self.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            self.refusalTask = nil
            self.updateReading()
        }
        return false
    }

    // MARK: Bytes

    /// A socket's bytes toward its target: as many as may pass go on at once, the rest waits, and with it the client's messages.
    func passUp(_ data: ByteBuffer, to stream: TargetStream) {
        var data = data
        let count = data.readableBytes
        let drawn = self.draw(count, .up)
        guard drawn < count else { return stream.forward(data) }
        if drawn > 0, let part = data.readSlice(length: drawn) { stream.forward(part) }
        guard self.dayIsLeft else { return }
        self.heldUpload = (stream, data)
        self.updateReading()
        self.resume(in: .milliseconds(1))
    }

    /// How many of so many bytes from a target the client may have now. The socket keeps the rest until ``TargetStream/drawAgain()``.
    func drawDown(_ count: Int, for stream: TargetStream) -> Int {
        let drawn = self.draw(count, .down)
        if drawn < count, self.dayIsLeft { self.awaitBytes(stream) }
        return drawn
    }

    private func awaitBytes(_ stream: TargetStream) {
        if !self.waitingForBytes.contains(where: { $0 === stream }) { self.waitingForBytes.append(stream) }
        self.resume(in: .milliseconds(1))
    }

    /// Takes a datagram, whole or not at all.
    func drawDatagram(_ count: Int, _ direction: Direction) -> Bool {
        if direction == .down { self.overhead += Self.datagramCost }
        return count == 0 || self.draw(count, direction) == count
    }

    private func draw(_ count: Int, _ direction: Direction) -> Int {
        let now = self.environment.clock.now()
        let drawn = self.allowance.draw(bytes: count, now: now)
        if drawn > 0 { self.relayed(direction, bytes: drawn) }
        if let refusal = self.allowance.dayBytesExhausted(now: now) { self.endAll(refusal) }
        return drawn
    }

    private var dayIsLeft: Bool { self.allowance.dayBytesExhausted(now: self.environment.clock.now()) == nil }

    /// The day's bytes are spent: every socket ends once what was drawn for it is delivered. At the end of the turn, not amid one's event.
    private func endAll(_ refusal: QuotaRefusal) {
        self.heldUpload = nil
        self.waitingForBytes = []
        self.eventLoop.assumeIsolated().execute {
            for socket in self.sockets.values.map(\.base) {
                if socket.core.isOpen {
                    socket.windUp(.byteQuota, refusal.message)
                } else {
                    socket.fail(Refusal(refusal))
                }
            }
        }
    }

    /// What waited for bytes of the day tries once more.
    private func drawAgain() {
        if let (stream, data) = self.heldUpload {
            self.heldUpload = nil
            self.passUp(data, to: stream)
        }
        let waiting = self.waitingForBytes
        self.waitingForBytes = []
        for stream in waiting { stream.drawAgain() }
    }

    /// False when the budget is spent; then everything resumes by itself when it is not.
    func budgetAllows() -> Bool {
        let now = self.environment.clock.now()
        guard let until = self.allowance.pause(now: now) else { return true }
        if self.budgetTask == nil {
            self.environment.observer.bandwidthWaited()
            self.resume(in: .microseconds(max(1000, until.microseconds - now.microseconds)))
        }
        return false
    }

    func resume(in wait: TimeAmount) {
        guard self.budgetTask == nil else { return }
        self.budgetTask = self.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            self.budgetTask = nil
            self.now = self.environment.uptimeNanoseconds()
            self.drawAgain()
            self.updateReading()
            self.takeTurns()
        }
    }
}
