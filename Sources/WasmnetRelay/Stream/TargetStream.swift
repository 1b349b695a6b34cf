import DequeModule
import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// One TCP or TLS socket: the handler at the end of the target's channel, and what the session knows of it.
///
/// Exists from the moment the request arrives, so that bytes sent before `connected` are kept in order. ``StreamMachine`` decides;
/// this type reads, writes, counts and closes.
final class TargetStream: ChannelInboundHandler, ReadingSocket {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let id: SocketID
    let encoding: WireEncoding
    let kind: SocketKind
    var isOpen = false
    private(set) var target: SocketTarget
    private let session: Session
    private var slot: QuotaSlot?

    private var machine: StreamMachine
    private var context: ChannelHandlerContext?
    private var receiver: ReceiveAllocator?
    private var dial: Dial?
    private var wasDialed = false

    /// Client bytes that wait for the dial, in one piece: many small ones would hold far more than their bytes.
    private var early = ByteBuffer()
    /// The last piece, which the channel does not have yet; small ones gather in it.
    private var tail: ByteBuffer?
    /// Client bytes accepted and not yet with the kernel.
    private var unsent = 0
    private var unflushed = 0
    /// Bytes that were flushed and are not yet with the kernel: the target lags.
    private var inFlight = 0
    private var window: ReceiveWindow?
    /// Bytes of the session's window room that this socket's window grew by.
    private var windowGrowth = 0

    /// Target bytes that wait for room toward the client.
    private var inbox = Deque<ByteBuffer>()
    /// Target bytes that the client may not have yet, by its limits; they come after those of ``inbox``.
    private var undrawn = Deque<ByteBuffer>()
    private(set) var credit: SendCredit
    private var readIsPending = false
    /// Its last read was short: its target has said all that it had to say for now. Such a socket may be read when others wait, a
    /// little, and its bytes go first: it is somebody's keystroke.
    private(set) var isSparse = true
    private var lingerTask: Scheduled<Void>?
    private var creditTask: Scheduled<Void>?
    private var endMessage: String?

    private var bytesUp: UInt64 = 0
    private var bytesDown: UInt64 = 0
    var times = SocketTimes()
    private let openedAt: Int64
    private var activity: Int64

    private static let gatherLimit = 2 << 10
    /// Less than this waits here while the target lags: in the channel each piece holds some hundred bytes beside its own.
    private static let laggingPiece = 16 << 10

    init(
        id: SocketID, encoding: WireEncoding, kind: SocketKind, target: SocketTarget, session: Session
    ) {
        self.id = id
        self.encoding = encoding
        self.kind = kind
        self.target = target
        self.session = session
        let hasCredit = session.codec.version == .v2
        self.machine = StreamMachine(knowsHalfClose: hasCredit)
        let settings = session.environment.settings
        self.credit = SendCredit(hasCredit ? settings.firstWindowBytes : nil)
        self.window =
            hasCredit ? ReceiveWindow(first: settings.firstWindowBytes, largest: settings.maxWindowBytes) : nil
        self.openedAt = session.environment.uptimeNanoseconds()
        self.activity = self.openedAt
    }

    var lastActivity: Int64? { self.activity }
    var hasTargetBytes: Bool { !self.inbox.isEmpty }

    // MARK: Dialing

    var isDialing: Bool { self.machine.phase == .dialing }

    /// Keeps the slot until the end of the channel. False, and the slot is given back, when nobody waits for the dial any more.
    func hold(_ slot: QuotaSlot?) -> Bool {
        guard self.isDialing else {
            slot?.release()
            return false
        }
        self.slot = slot
        return true
    }

    func start(_ dial: Dial) {
        self.dial = dial
        self.wasDialed = true
    }

    /// The dial came through. Nothing was read from the channel yet, TLS' handshake aside.
    func connected(_ connection: Dial.Connection) {
        self.dial = nil
        self.target.address = connection.address
        self.receiver = connection.receiver
        self.times.tls = connection.handshake
        if let time = connection.handshake { self.session.environment.observer.took(.tls, nanoseconds: time) }
        let channel = connection.channel
        do {
            try channel.pipeline.syncOperations.addHandler(self)
        } catch {
            self.fail(Refusal(.internalError, "the connection to \(self.target.host) could not be set up"))
            channel.close(promise: nil)
            return
        }
        self.activity = self.session.environment.uptimeNanoseconds()
        if self.kind != .accepted {
            guard self.session.completeOpening(self) else {
                channel.close(promise: nil)
                return
            }
            self.session.announceConnected(self, channel: channel, alpn: connection.alpn)
        }
        self.enqueue(self.early)
        self.early = ByteBuffer()
        self.carryOut(self.machine.connected(allSent: self.unsent == 0))
        self.flush()
        self.session.readWanted(self)
    }

    func fail(_ refusal: Refusal) {
        guard self.machine.phase == .dialing else { return }
        self.dial.take()?.cancel()
        if self.machine.clientIsGone {
            // The client closed it while it was dialed and waits for `closed`.
            self.carryOut(self.machine.lingerExpired())
            return
        }
        self.machine.dialFailed(refusal.code)
        self.lingerTask?.cancel()
        self.session.refuseOpen(self, refusal, wasTried: self.wasDialed)
        self.releaseSlot()
    }

    // MARK: From the client

    func send(_ data: ByteBuffer) {
        let count = data.readableBytes
        guard self.machine.takesClientBytes else {
            if self.machine.clientIsGone {
                self.session.countRefusal()
            } else if self.machine.clientHasFinished, self.window != nil {
                self.terminate(.protocolError, "data was sent after shutdown")
            }
            return
        }
        if self.window?.receive(count) == false {
            self.terminate(.protocolError, "more was sent than was granted")
            return
        }
        if count > 0 { self.session.passUp(data, to: self) }
    }

    /// Takes bytes of the client that were drawn from its limits. Nothing once the socket has ended.
    func forward(_ data: ByteBuffer) {
        guard self.machine.takesClientBytes else { return }
        let count = data.readableBytes
        self.bytesUp += UInt64(count)
        self.unsent += count
        self.activity = self.session.now
        if self.context == nil {
            self.early.writeImmutableBuffer(data)
        } else {
            self.enqueue(data)
        }
        if self.window == nil, self.unsent > self.session.environment.settings.streamAllowanceBytes {
            self.session.holdUploads(self)
        }
    }

    private func enqueue(_ data: ByteBuffer) {
        guard data.readableBytes > 0 else { return }
        self.unflushed += data.readableBytes
        // What a target that lags is sent is copied: a few bytes must not keep the whole read alive that they came in.
        let compact = data.readableBytes <= Self.gatherLimit || self.inFlight > 0
        if compact, var gathered = self.tail.take() {
            if gathered.readableBytes + data.readableBytes <= self.session.environment.settings.readChunkBytes {
                gathered.writeImmutableBuffer(data)
                self.tail = gathered
                self.session.markDirty(self)
                return
            }
            self.tail = gathered
        }
        if let full = self.tail.take(), let context = self.context {
            context.write(self.wrapOutboundOut(full), promise: nil)
        }
        self.tail = compact ? ByteBuffer(buffer: data) : data
        self.session.markDirty(self)
    }

    func flush() {
        // What is kept here goes out once all that went before is with the kernel.
        guard self.inFlight == 0 || self.unflushed >= Self.laggingPiece else { return }
        guard let context = self.context, let last = self.tail.take() else { return }
        let count = self.unflushed
        self.unflushed = 0
        self.inFlight += count
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            if case .success = result { self.sent(count) }
        }
        context.writeAndFlush(self.wrapOutboundOut(last), promise: promise)
    }

    private func sent(_ count: Int) {
        self.unsent -= count
        self.inFlight -= count
        // Not from within the channel's own flush.
        if self.inFlight == 0, self.tail != nil { self.session.markDirty(self) }
        if self.window != nil { self.grant(count) }
        if self.unsent <= self.session.environment.settings.streamAllowanceBytes / 2 {
            self.session.releaseUploads(self)
        }
        if self.unsent == 0 { self.carryOut(self.machine.allSent()) }
    }

    private func grant(_ count: Int) {
        guard self.machine.takesClientBytes else { return }
        let room = self.session.windowRoom
        guard
            let (grant, grown) = self.window?.drained(
                count, now: self.session.now, roundTrip: self.session.carrier.roundTrip, room: room)
        else { return }
        self.session.windowGrew(by: grown)
        self.windowGrowth += grown
        if grant > 0 { self.session.tell(.window(self.id, bytes: UInt32(clamping: grant)), as: self.encoding) }
    }

    func grantWindow(_ bytes: UInt32) {
        self.credit.add(bytes)
        if self.hasTargetBytes { self.session.offer(self) } else { self.session.readWanted(self) }
    }

    func shutdown() {
        if self.machine.clientHasFinished { self.session.countRefusal() }
        self.carryOut(self.machine.clientShutdown(allSent: self.unsent == 0))
    }

    func close() {
        if self.machine.clientIsGone { self.session.countRefusal() }
        let early = self.machine.phase == .dialing && self.unsent == 0
        self.carryOut(self.machine.clientClose(allSent: self.unsent == 0))
        if early { self.dial?.cancel() }
    }

    func reset() {
        self.terminate(.clientClosed, "")
    }

    func terminate(_ reason: ReasonCode, _ message: String) {
        self.endMessage = message
        self.dial?.cancel()
        self.carryOut(self.machine.terminate(reason))
    }

    func windUp(_ reason: ReasonCode, _ message: String) {
        self.endMessage = message
        self.undrawn.removeAll()
        self.carryOut(self.machine.windUp(reason, handedOver: self.inbox.isEmpty, allSent: self.unsent == 0))
        // What just went may be all that an end of the target's waited for.
        if self.inbox.isEmpty { self.carryOut(self.machine.allHandedOver()) }
    }

    func sessionEnded() {
        if self.machine.phase == .dialing, self.unsent == 0 { self.dial?.cancel() }
        self.carryOut(self.machine.sessionEnded(allSent: self.unsent == 0))
    }

    func reconsider(_ policy: Policy) -> PolicyDecision? {
        guard self.kind == .accepted else {
            let decision = self.target.forbidden(by: policy)
            if decision == nil { self.dial?.reconsider() }
            return decision
        }
        let decision = self.target.address.map { policy.decideAccepted(from: $0) }
        return decision?.allowed == false ? decision : nil
    }

    // MARK: From the target

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    /// An accepted connection is set up before it is active; a dialed one is active already.
    func channelActive(context: ChannelHandlerContext) {
        self.session.readWanted(self)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        let count = bytes.readableBytes
        guard self.machine.wantsTargetBytes, count > 0 else { return }
        self.activity = self.session.now
        if self.times.firstByte == nil {
            self.times.firstByte = self.session.environment.uptimeNanoseconds() - self.openedAt
        }
        self.isSparse = count < Session.sparseReadBytes / 2
        self.undrawn.append(bytes)
        // What came before and waits keeps its place.
        if self.undrawn.count == 1 { self.draw() }
    }

    private func draw() {
        while var bytes = self.undrawn.popFirst() {
            let drawn = self.session.drawDown(bytes.readableBytes, for: self)
            guard drawn < bytes.readableBytes else {
                self.inbox.append(bytes)
                continue
            }
            if drawn > 0, let part = bytes.readSlice(length: drawn) { self.inbox.append(part) }
            self.undrawn.prepend(bytes)
            return
        }
    }

    /// More of the client's limits may be left now.
    func drawAgain() {
        guard !self.undrawn.isEmpty else { return }
        self.draw()
        if self.hasTargetBytes { self.session.offer(self) }
    }

    /// Everything that the target sent is with the client's session.
    private var isHandedOver: Bool { self.inbox.isEmpty && self.undrawn.isEmpty }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.readIsPending = false
        if self.hasTargetBytes {
            self.session.offer(self)
        } else if self.machine.inbound == .discarded || self.machine.isAnnounced {
            self.readNow()
        } else {
            self.session.readWanted(self)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            self.carryOut(self.machine.targetEnded(handedOver: self.isHandedOver))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.carryOut(self.machine.targetFailed(.targetReset, handedOver: self.isHandedOver))
        if self.machine.phase == .closed { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let bothEnded = self.machine.outbound == .finished
        if bothEnded {
            // NIO tells the second half's end only as the channel's.
            self.carryOut(self.machine.targetEnded(handedOver: self.isHandedOver))
        }
        // Bytes that came before the end are still the client's.
        if !self.isHandedOver, self.machine.phase == .open {
            // A failure was told before, as an error; without one, two ends are no failure.
            if !bothEnded { self.carryOut(self.machine.targetFailed(.targetReset, handedOver: false)) }
        } else {
            self.carryOut(self.machine.channelClosed())
        }
        self.context = nil
        self.tail = nil
        self.unsent = 0
        self.lingerTask?.cancel()
        self.session.releaseUploads(self)
        self.releaseSlot()
        context.fireChannelInactive()
    }

    // MARK: Toward the client, driven by the session

    /// Whether a read may be asked for, the client's side aside.
    var mayRead: Bool {
        !self.readIsPending && self.isHandedOver && self.context?.channel.isActive == true
            && self.machine.wantsTargetBytes
            && !self.credit.isSpent
    }

    /// Asks the target for at most `limit` bytes.
    func read(limit: Int) {
        self.receiver?.limit = min(limit, max(self.credit.limit, SendCredit.leastPart))
        self.readNow()
    }

    private func readNow() {
        guard !self.readIsPending, let context = self.context, context.channel.isActive else { return }
        self.readIsPending = true
        context.read()
    }

    /// Takes the next piece to send, within the credit.
    func nextPiece() -> ByteBuffer? {
        guard !self.awaitsCredit(), var piece = self.inbox.popFirst() else { return nil }
        if piece.readableBytes > self.credit.limit, let part = piece.readSlice(length: self.credit.limit) {
            self.inbox.prepend(piece)
            piece = part
        }
        self.credit.spend(piece.readableBytes)
        self.bytesDown += UInt64(piece.readableBytes)
        return piece
    }

    /// Whether what comes next waits for its client's credit. A part too small to be worth a message waits only so long.
    func awaitsCredit() -> Bool {
        guard let next = self.inbox.first, !self.credit.takes(next.readableBytes) else { return false }
        if !self.credit.isSpent, self.creditTask == nil {
            self.creditTask = self.session.eventLoop.assumeIsolated().scheduleTask(
                in: .milliseconds(SendCredit.patience)
            ) {
                self.creditTask = nil
                self.credit.urge()
                if self.machine.phase != .closed, self.hasTargetBytes { self.session.offer(self) }
            }
        }
        return true
    }

    /// The session handed over everything there was.
    func handedOver() {
        guard self.undrawn.isEmpty else { return }
        self.carryOut(self.machine.allHandedOver())
    }

    // MARK: Carrying out

    private func carryOut(_ actions: StreamMachine.Actions) {
        guard !actions.isEmpty else { return }
        if actions.contains(.discardInbound) {
            self.inbox.removeAll()
            self.undrawn.removeAll()
            self.session.forget(self)
        }
        if actions.contains(.announceEnd) { self.session.tell(.end(self.id), as: self.encoding) }
        if actions.contains(.announceClosed) { self.announceClosed() }
        if actions.contains(.closeOutput) { self.context?.close(mode: .output, promise: nil) }
        if actions.contains(.startLinger) { self.startLinger() }
        if actions.contains(.abort) { self.abort() }
        if actions.contains(.closeChannel) { self.context?.close(promise: nil) }
        if self.machine.phase == .lingering || self.machine.inbound == .discarded { self.readNow() }
        // Without bytes on their way nothing else would say that all are out.
        if actions.contains(.startLinger), self.unsent == 0 { self.carryOut(self.machine.allSent()) }
    }

    private func announceClosed() {
        let reason = self.machine.reason ?? .internalError
        self.session.socketEnded(self, reason, self.endMessage ?? reason.sentence(self.target.host))
    }

    private func startLinger() {
        guard self.lingerTask == nil else { return }
        let settings = self.session.environment.settings
        self.lingerTask = self.session.eventLoop.assumeIsolated().scheduleTask(in: settings.linger) {
            self.carryOut(self.machine.lingerExpired())
        }
    }

    private func abort() {
        self.early = ByteBuffer()
        self.tail = nil
        self.unsent = 0
        self.session.releaseUploads(self)
        guard let context = self.context else {
            self.dial?.cancel()
            self.lingerTask?.cancel()
            self.releaseSlot()
            return
        }
        // A reset, so that the target does not take a cut for an end.
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        // Past TLS, whose close_notify would make an end of it.
        let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self)
        (tls ?? context).close(promise: nil)
    }

    private func releaseSlot() {
        self.session.windowGrew(by: -self.windowGrowth)
        self.windowGrowth = 0
        self.slot?.release()
        self.slot = nil
    }

    var record: SocketRecord {
        var record = SocketRecord(socket: self.id, kind: self.kind, opened: self.openedAt)
        record.host = self.target.host
        record.port = self.target.port
        record.address = self.target.address
        record.bytesUp = self.bytesUp
        record.bytesDown = self.bytesDown
        record.times = self.times
        if self.machine.phase == .dialing {
            record.state = .opening
        } else if self.machine.outbound != .open || self.machine.inbound != .open {
            record.state = .halfClosed
        }
        return record
    }
}

@available(*, unavailable)
extension TargetStream: Sendable {}
