import Glibc
import NIOCore
import NIOPosix
import NIOSSL
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol

/// One TCP or TLS socket: the handler at the end of the target's channel, and its state in the session.
///
/// Exists from the moment the request arrives, so that bytes sent before `connected` are kept in order. ``SocketMachine`` decides;
/// ``BytesUp`` and ``BytesDown`` keep what waits; this type reads, writes and closes.
final class TargetStream: ChannelInboundHandler, ReadingSocket {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    var core: SocketCore
    let context: SocketContext
    private(set) var target: SocketTarget

    private var channelContext: ChannelHandlerContext?
    private var receiver: ReceiveAllocator?
    private var dial: Dial?
    private var up = BytesUp()
    private var window: ReceiveWindow?
    /// How much of the session's window room this socket's window took, in bytes.
    private var windowGrowth = 0
    private var down: BytesDown
    private var readIsPending = false
    private var lingerTask: Scheduled<Void>?
    /// Bytes of the target that arrived when they were no longer wanted.
    private var thrownAway = 0
    private var creditTask: Scheduled<Void>?

    init(id: SocketID, encoding: WireEncoding, kind: SocketKind, target: SocketTarget, context: SocketContext) {
        self.context = context
        self.target = target
        let hasCredit = context.version == .v2
        let settings = context.settings
        var facts = SocketRecord(socket: id, kind: kind, opened: context.uptime)
        (facts.host, facts.port, facts.address) = (target.host, target.port, target.address)
        self.core = SocketCore(.stream(knowsHalfClose: hasCredit), facts, encoding: encoding)
        self.core.lastActivity = facts.opened
        self.down = BytesDown(SendCredit(hasCredit ? settings.firstWindowBytes : nil))
        self.window =
            hasCredit ? ReceiveWindow(first: settings.firstWindowBytes, largest: settings.maxWindowBytes) : nil
    }

    var asSocket: Socket { .stream(self) }
    var isAllSent: Bool { self.up.unsent == 0 }
    var hasTargetBytes: Bool { !self.down.isEmpty }
    var isInteractive: Bool { self.down.isInteractive }
    var credit: SendCredit { self.down.credit }

    // MARK: Opening

    func start(_ dial: Dial) {
        self.dial = dial
        self.core.wasTried = true
    }

    /// The dial succeeded. Nothing was read from the channel yet, except for the TLS handshake.
    func connected(_ connection: Dial.Connection) {
        self.dial = nil
        self.core.facts.times.tls = connection.handshake
        if let time = connection.handshake { self.context.took(.tls, nanoseconds: time) }
        guard self.attach(connection) else {
            self.fail(.notSetUp(self.target.host))
            return connection.channel.close(promise: nil)
        }
        guard self.context.completeOpening(self) else { return connection.channel.close(promise: nil) }
        self.announceConnected(connection)
        self.begin()
    }

    private func announceConnected(_ connection: Dial.Connection) {
        let channel = connection.channel
        let local = self.context.policy.showLocal ? channel.localAddress : channel.localAddress?.withoutHost
        self.context.send(
            .connected(
                self.id, local: local?.endpointText ?? "", remote: channel.remoteAddress?.endpointText ?? "",
                alpn: connection.alpn), as: self.encoding)
    }

    /// Joins the connection's pipeline.
    func attach(_ connection: Dial.Connection) -> Bool {
        self.target.address = connection.address
        self.core.facts.address = connection.address
        self.receiver = connection.receiver
        return (try? connection.channel.pipeline.syncOperations.addHandler(self)) != nil
    }

    /// The client knows that it is open: bytes sent until now go out, and the target is read.
    func begin() {
        self.core.lastActivity = self.context.uptime
        self.up.connected()
        self.carryOut(self.core.machine.opened(allSent: self.isAllSent))
        self.flush()
        self.context.readWanted(self)
    }

    func reapply(_ policy: Policy) -> PolicyDecision? {
        guard self.core.kind == .accepted else {
            let decision = self.target.forbidden(by: policy)
            if decision == nil { self.dial?.reapply() }
            return decision
        }
        let decision = self.target.address.map { policy.decideAccepted(from: $0) }
        return decision?.allowed == false ? decision : nil
    }

    // MARK: From the client

    func send(_ data: ByteBuffer) {
        let count = data.readableBytes
        guard self.core.machine.takesClientBytes else {
            if self.core.machine.clientIsGone {
                self.context.countRefusal()
            } else if self.core.machine.clientHasFinished, self.window != nil {
                self.terminate(.protocolError, "data was sent after shutdown")
            }
            return
        }
        if self.window?.receive(count) == false {
            self.terminate(.protocolError, "more was sent than the credit allows")
            return
        }
        if count > 0 { self.context.passUp(data, to: self) }
    }

    /// Takes bytes of the client that were drawn from its limits. No effect once the socket has ended.
    func forward(_ data: ByteBuffer) {
        guard self.core.machine.takesClientBytes else { return }
        self.core.facts.bytesUp += UInt64(data.readableBytes)
        self.core.lastActivity = self.context.now
        let settings = self.context.settings
        if let context = self.channelContext {
            if let full = self.up.add(data, limit: settings.readChunkBytes) {
                context.write(self.wrapOutboundOut(full), promise: nil)
            }
            self.context.needsFlush(self)
        } else {
            self.up.addEarly(data)
        }
        if self.window == nil, self.up.unsent > settings.streamAllowanceBytes { self.context.holdUploads(self) }
    }

    func flush() {
        guard let context = self.channelContext, let (last, count) = self.up.takeForFlush() else { return }
        let promise = context.eventLoop.makePromise(of: Void.self)
        promise.futureResult.assumeIsolated().whenComplete { result in
            if case .success = result { self.sent(count) }
        }
        context.writeAndFlush(self.wrapOutboundOut(last), promise: promise)
    }

    private func sent(_ count: Int) {
        self.up.sent(count)
        // Not from within the channel's own flush.
        if self.up.waitsForFlush { self.context.needsFlush(self) }
        if self.window != nil { self.grant(count) }
        if self.up.unsent <= self.context.settings.streamAllowanceBytes / 2 {
            self.context.releaseUploads(self)
        }
        if self.isAllSent { self.carryOut(self.core.machine.allSent()) }
    }

    private func grant(_ count: Int) {
        guard self.core.machine.takesClientBytes else { return }
        let (room, widest) = (self.context.windowRoom, self.context.widestWindow)
        guard
            let (grant, grown) = self.window?.drained(
                count, now: self.context.now, roundTrip: self.context.roundTrip, room: room, widest: widest)
        else { return }
        if grown > 0 { self.context.windowGrew(by: grown, to: self.window?.size ?? 0) }
        self.windowGrowth += grown
        if grant > 0 { self.context.send(.window(self.id, bytes: UInt32(clamping: grant)), as: self.encoding) }
    }

    func grantWindow(_ bytes: UInt32) {
        self.down.grant(bytes)
        if self.hasTargetBytes { self.context.offer(self) } else { self.context.readWanted(self) }
    }

    func shutdown() {
        if self.core.machine.clientHasFinished { self.context.countRefusal() }
        self.carryOut(self.core.machine.clientShutdown(allSent: self.isAllSent))
    }

    func reset() {
        self.terminate(.clientClosed, "")
    }

    // MARK: From the target

    func handlerAdded(context: ChannelHandlerContext) {
        self.channelContext = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.channelContext = nil
    }

    /// An accepted connection is set up before it is active; a dialed one is active already.
    func channelActive(context: ChannelHandlerContext) {
        self.context.readWanted(self)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        guard self.core.machine.wantsTargetBytes else { return self.throwAway(bytes.readableBytes) }
        guard bytes.readableBytes > 0 else { return }
        self.core.lastActivity = self.context.now
        if self.core.facts.times.firstByte == nil {
            self.core.facts.times.firstByte =
                self.context.uptime - self.core.facts.opened
        }
        if self.down.add(bytes) { self.draw() }
    }

    private func draw() {
        while let count = self.down.nextUndrawn {
            let drawn = self.context.drawDown(count, for: self)
            self.down.drew(drawn)
            guard drawn == count else { return }
        }
    }

    /// The client's limits may allow more now.
    func drawAgain() {
        guard self.down.waitsForLimits else { return }
        self.draw()
        if self.hasTargetBytes { self.context.offer(self) }
    }

    /// A target that keeps sending when its bytes are no longer wanted is reset, as the kernel does after close(2) (RFC 1122, section
    /// 4.2.2.13), once it has acknowledged all that the client sent, and its end.
    private func throwAway(_ count: Int) {
        self.thrownAway += count
        guard self.core.machine.phase == .lingering, self.thrownAway >= self.context.settings.lingerBytes else {
            return
        }
        self.thrownAway = 0
        let provider = self.channelContext?.channel as? any SocketOptionProvider
        provider?.getTCPInfo().assumeIsolated().whenSuccess {
            if Int($0.tcpi_state) == TCP_FIN_WAIT2 { self.carryOut(self.core.machine.lingerExpired()) }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.readIsPending = false
        if self.hasTargetBytes {
            self.context.offer(self)
        } else if self.core.machine.inbound == .discarded || self.core.machine.isAnnounced {
            self.readNow()
        } else {
            self.context.readWanted(self)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            self.carryOut(self.core.machine.targetEnded(handedOver: self.down.isHandedOver))
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.carryOut(self.core.machine.targetFailed(.targetReset, handedOver: self.down.isHandedOver))
        if self.core.hasEnded { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let bothEnded = self.core.machine.outbound == .finished
        if bothEnded {
            // NIO reports the end of the second half only as the channel's.
            self.carryOut(self.core.machine.targetEnded(handedOver: self.down.isHandedOver))
        }
        // Bytes that arrived before the end still belong to the client.
        if !self.down.isHandedOver, self.core.machine.phase == .open {
            // A failure was reported before, as an error; without one, two ends are no failure.
            if !bothEnded { self.carryOut(self.core.machine.targetFailed(.targetReset, handedOver: false)) }
        } else {
            self.carryOut(self.core.machine.channelClosed())
        }
        self.channelContext = nil
        self.letGo()
        context.fireChannelInactive()
    }

    // MARK: Toward the client, driven by the session

    /// Whether a read may be requested, the client's side aside.
    var mayRead: Bool {
        !self.readIsPending && self.down.isHandedOver && self.channelContext?.channel.isActive == true
            && self.core.machine.wantsTargetBytes
            && !self.credit.isSpent
    }

    /// Requests at most `limit` bytes from the target.
    func read(limit: Int) {
        self.receiver?.limit = min(limit, max(self.credit.limit, SendCredit.smallPart))
        self.readNow()
    }

    private func readNow() {
        guard !self.readIsPending, let context = self.channelContext, context.channel.isActive else { return }
        self.readIsPending = true
        context.read()
    }

    /// Takes the next piece to send, within the credit.
    func nextPiece() -> ByteBuffer? {
        guard !self.awaitsCredit(), let piece = self.down.next() else { return nil }
        self.core.facts.bytesDown += UInt64(piece.readableBytes)
        return piece
    }

    /// Whether the next bytes wait for the client's credit. A part too small to be worth a message waits for a limited time.
    func awaitsCredit() -> Bool {
        guard !self.down.hasCreditForNext else { return false }
        if !self.credit.isSpent, self.creditTask == nil {
            self.creditTask = self.context.eventLoop.assumeIsolated().scheduleTask(
                in: .milliseconds(SendCredit.patience)
            ) {
                self.creditTask = nil
                self.down.releaseSmallPart()
                if !self.core.hasEnded, self.hasTargetBytes { self.context.offer(self) }
            }
        }
        return true
    }

    /// The session handed over everything available.
    func handedOver() {
        guard !self.down.waitsForLimits else { return }
        self.carryOut(self.core.machine.allHandedOver())
    }

    // MARK: Ends

    func windUp(_ reason: ReasonCode, _ message: String) {
        self.core.endMessage = message
        self.down.discardUndrawn()
        let isHandedOver = self.down.isHandedOver
        self.carryOut(self.core.machine.windUp(reason, handedOver: isHandedOver, allSent: self.isAllSent))
        // What was just handed over may be all that the target's end waited for.
        if self.down.isHandedOver { self.carryOut(self.core.machine.allHandedOver()) }
    }

    func carryOut(_ actions: [SocketMachine.Action]) {
        guard !actions.isEmpty else { return }
        for action in actions {
            switch action {
            case .discardInbound:
                self.down.discard()
                self.context.forget(self)
            case .startLinger: self.startLinger()
            case .announceEnd: self.context.send(.end(self.id), as: self.encoding)
            case .announceClosed: self.announceClosed()
            case .closeOutput: self.channelContext?.close(mode: .output, promise: nil)
            case .abort: self.abort()
            case .closeChannel:
                if let context = self.channelContext { context.close(promise: nil) } else { self.abandonDial() }
            }
        }
        if self.core.machine.phase == .lingering || self.core.machine.inbound == .discarded { self.readNow() }
        // Without bytes in flight nothing else would report that all are out.
        if actions.contains(.startLinger), self.isAllSent { self.carryOut(self.core.machine.allSent()) }
    }

    private func startLinger() {
        guard self.lingerTask == nil else { return }
        let settings = self.context.settings
        self.lingerTask = self.context.eventLoop.assumeIsolated().scheduleTask(in: settings.linger) {
            self.carryOut(self.core.machine.lingerExpired())
        }
    }

    private func abort() {
        guard let context = self.channelContext else { return self.abandonDial() }
        self.up.drop()
        self.context.releaseUploads(self)
        // A reset, so that the target does not mistake an abort for an orderly end.
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        // Bypassing TLS, whose close_notify would make it an orderly end.
        let tls = try? context.pipeline.syncOperations.context(handlerType: NIOSSLClientHandler.self)
        (tls ?? context).close(promise: nil)
    }

    private func abandonDial() {
        self.dial.take()?.cancel()
        self.letGo()
    }

    /// Nothing goes to the target any more.
    private func letGo() {
        self.up.drop()
        self.lingerTask?.cancel()
        self.context.releaseUploads(self)
        self.context.windowEnded(grownBy: self.windowGrowth)
        self.windowGrowth = 0
        self.releaseSlot()
    }
}

@available(*, unavailable)
extension TargetStream: Sendable {}
