package import NIOCore
import NIOPosix
import WasmnetProtocol

/// The transport: turns the bytes of one WebSocket into messages of one session, and back. The only type that knows frames.
///
/// Duties: frame headers and unmasking; fragments; ping, pong and the end of silent peers; the close handshake; gathering small
/// messages of one turn of the event loop into one write; and notifying the session when there is room to send. The sending side is in
/// WebSocketHandler+Carrier.swift.
package final class WebSocketHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = Never
    package typealias OutboundOut = ByteBuffer

    enum State {
        case open
        /// We sent a close frame and wait for the peer's.
        case closing
        case closed
    }

    let settings: RelaySettings
    let clock: any RelayClock
    private let makeSession: (any SessionCarrier, any Channel) -> any CarriedSession
    /// The session has ended, but its connection has not yet.
    private let onLinger: () -> Void
    var session: (any CarriedSession)?
    var context: ChannelHandlerContext?
    var state = State.open

    private var frames: FrameReader
    /// What was read and waits for a turn. Nothing more is read until it is empty.
    private var input = ByteBuffer()
    private let turns: InputTurns
    private var isInTurn = false
    private var isWaitingForTurn = false
    /// Bytes that ``frames`` keeps, as last reported to the session.
    private var bytesKept = 0

    /// Small messages that wait for the end of the turn.
    var outbox = ByteBuffer()
    var unflushed = 0
    var answersQueued = 0
    var flushIsScheduled = false

    /// Data in flight to the peer: room in it is part of ``hasRoom``.
    var delivery = DeliveryWindow()
    var deliveryIsLimited = false
    private var deliveryMadeRoom = false

    private let receiver: ReceiveAllocator?
    var isReading = true
    private var readIsPending = false
    private var signsOfLife = 0
    private var heartbeatsMissed = 0
    private var bytesDropped = 0
    private var outputIsEnded = false
    private var heartbeatTask: Scheduled<Void>?
    var closeTask: Scheduled<Void>?
    var firstPongTask: Scheduled<Void>?

    init(
        settings: RelaySettings, clock: any RelayClock, turns: InputTurns, receiver: ReceiveAllocator? = nil,
        onLinger: @escaping () -> Void = {},
        makeSession: @escaping (any SessionCarrier, any Channel) -> any CarriedSession
    ) {
        self.receiver = receiver
        self.onLinger = onLinger
        self.turns = turns
        self.settings = settings
        self.clock = clock
        self.makeSession = makeSession
        self.frames = FrameReader(maxLength: settings.maxMessageBytes)
    }

    /// Creates the handler and sets the channel options that it needs.
    package static func install(
        on channel: any Channel, position: ChannelPipeline.SynchronousOperations.Position = .last,
        settings: RelaySettings, clock: any RelayClock, turns: InputTurns? = nil, onLinger: @escaping () -> Void = {},
        makeSession: @escaping (any SessionCarrier, any Channel) -> any CarriedSession
    ) throws {
        let receiver = ReceiveAllocator(largest: settings.carrierReadChunkBytes)
        if let options = channel.syncOptions {
            // Only real sockets support these; an embedder's or a test's channel may not be one.
            if channel is any SocketOptionProvider {
                try? options.setOption(.socketOption(.tcp_nodelay), value: 1)
                try? options.setOption(.socketOption(.so_keepalive), value: 1)
                try? options.setOption(.notSentLowWater, value: .init(settings.notSentLowWaterBytes))
                try? options.setOption(.maxMessagesPerRead, value: 1)
                try? options.setOption(.recvAllocator, value: receiver)
            }
            try? options.setOption(
                .writeBufferWaterMark,
                value: .init(low: settings.outboundLowWaterBytes, high: settings.outboundHighWaterBytes))
            try options.setOption(.autoRead, value: false)
        }
        try channel.pipeline.syncOperations.addHandler(
            WebSocketHandler(
                settings: settings, clock: clock, turns: turns ?? InputTurns(channel.eventLoop), receiver: receiver,
                onLinger: onLinger, makeSession: makeSession),
            position: position)
    }

    // MARK: Channel events

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.session = self.makeSession(self, context.channel)
        if context.channel.isActive { self.start(context) }
    }

    package func handlerRemoved(context: ChannelHandlerContext) {
        self.end()
        self.context = nil
    }

    package func channelActive(context: ChannelHandlerContext) {
        self.start(context)
        context.fireChannelActive()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.end()
        context.fireChannelInactive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        guard self.state != .closed else { return self.drop(bytes, context) }
        self.signsOfLife &+= 1
        if self.input.readableBytes == 0 { self.input = bytes } else { self.input.writeBuffer(&bytes) }
        self.takeTurn(context)
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        self.readIsPending = false
        self.turnIsOver()
        context.fireChannelReadComplete()
    }

    // MARK: Turns

    /// Takes what was read, as far as one turn allows and the session takes messages.
    private func takeTurn(_ context: ChannelHandlerContext) {
        guard !self.isInTurn, self.input.readableBytes > 0, self.session?.takesMessages != false else { return }
        self.isInTurn = true
        var bytes = self.input
        self.input = ByteBuffer()
        var now = self.clock.uptimeNanoseconds()
        let end = now + self.turns.length(self.settings.inputTurn, for: self, now: now)
        while self.isReading, self.state != .closed, now < end, let output = self.frames.next(from: &bytes) {
            self.take(output, now, context)
            if bytes.readableBytes > 0 { now = self.clock.uptimeNanoseconds() }
        }
        if self.state != .closed, bytes.readableBytes > 0 { self.input = bytes }
        self.isInTurn = false
        self.countKept(context)
        self.waitForTurn()
    }

    private func countKept(_ context: ChannelHandlerContext) {
        guard self.state != .closed, self.frames.heldBytes != self.bytesKept else { return }
        self.bytesKept = self.frames.heldBytes
        guard self.session?.keepsUnfinished(bytes: self.bytesKept) == false else { return }
        // After our close frame, bytes are only read to find the peer's.
        if self.state == .closing { return context.close(promise: nil) }
        self.session?.carrierFailed(.overloaded)
        self.close(.tryLater, "too many bytes of unfinished messages")
    }

    private func waitForTurn() {
        guard self.isReading, !self.isWaitingForTurn, self.input.readableBytes > 0 else { return }
        self.isWaitingForTurn = true
        self.turns.add(self)
    }

    func takeWaitingTurn() {
        self.isWaitingForTurn = false
        guard let context = self.context else { return }
        self.takeTurn(context)
        self.turnIsOver()
    }

    private func turnIsOver() {
        self.session?.carrierReadComplete()
        if self.deliveryMadeRoom {
            self.deliveryMadeRoom = false
            if self.hasRoom { self.session?.carrierHasRoom() }
        }
        self.readIfWanted()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            // Progress of our bytes is a sign of life too: a slow reader's pong is behind them.
            self.signsOfLife &+= 1
            self.answersQueued = 0
            self.session?.carrierHasRoom()
        }
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            // Half a WebSocket is useless.
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Frames in

    private func take(_ output: MessageAssembler.Output, _ now: Int64, _ context: ChannelHandlerContext) {
        switch output {
        case .message(let message, let isText):
            guard self.state == .open else { return }
            self.session?.receive(message, isText: isText, now: now)
        case .ping(let payload):
            guard self.state == .open else { return }
            self.writeControl(.pong, payload)
            self.session?.receivedPing(bytes: payload.readableBytes)
        case .pong(let payload):
            self.session?.receivedPong(bytes: payload.readableBytes)
            self.receivedPong(payload)
        case .close(let code):
            self.receivedClose(code, context)
        case .fragment(let isEmpty):
            guard self.state == .open else { return }
            self.session?.receivedFragment(isEmpty: isEmpty)
        case .error(let error):
            self.close(error.closeCode, error.message)
            // A peer that speaks another protocol will not send a close frame (section 7.1.7).
            self.endOutput(context)
        }
    }

    private func receivedPong(_ payload: ByteBuffer) {
        // An unsolicited pong is only a sign of life.
        guard let number = payload.getInteger(at: payload.readerIndex, as: UInt64.self) else { return }
        let hadRoom = self.delivery.hasRoom
        self.delivery.answered(number, now: self.clock.uptimeNanoseconds())
        if self.deliveryIsLimited, self.delivery.needsMarker { self.ping() }
        if !hadRoom, self.delivery.hasRoom { self.deliveryMadeRoom = true }
    }

    private func receivedClose(_ code: UInt16?, _ context: ChannelHandlerContext) {
        let wasOpen = self.state == .open
        if wasOpen {
            var payload = ByteBuffer()
            if let code { payload.writeInteger(code) }
            self.writeControl(.close, payload)
        }
        self.state = .closed
        self.frames = FrameReader(maxLength: self.settings.maxMessageBytes)
        if wasOpen { self.sessionIsOver() }
        self.closeTask?.cancel()
        self.closeTask = context.eventLoop.assumeIsolated().scheduleTask(in: self.settings.closeTimeout) {
            context.close(promise: nil)
        }
        self.endOutput(context)
        // Until the peer ends.
        self.setReading(true)
    }

    func sessionIsOver() {
        self.session?.carrierEnded()
        self.onLinger()
    }

    /// Everything queued goes out, the close frame last. Then the server ends first (section 7.1.1), but only its own direction: a close
    /// with unread bytes would be a reset.
    private func endOutput(_ context: ChannelHandlerContext) {
        guard !self.outputIsEnded else { return }
        self.outputIsEnded = true
        self.flushNow()
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer())).assumeIsolated().whenComplete { _ in
            context.close(mode: .output, promise: nil)
        }
    }

    /// Ignores what a peer sends after its close frame, or after ours and its answer, up to a limit.
    private func drop(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        self.bytesDropped += bytes.readableBytes
        if self.bytesDropped > self.settings.lingerBytes { context.close(promise: nil) }
    }

    // MARK: Liveness

    private func start(_ context: ChannelHandlerContext) {
        guard self.heartbeatTask == nil else { return }
        self.session?.start()
        self.scheduleHeartbeat(context)
        self.readIfWanted()
    }

    private func scheduleHeartbeat(_ context: ChannelHandlerContext) {
        self.heartbeatTask = context.eventLoop.assumeIsolated().scheduleTask(in: self.settings.heartbeat) {
            self.heartbeat(context)
        }
    }

    private func heartbeat(_ context: ChannelHandlerContext) {
        guard self.state == .open else { return }
        // A peer that we do not read cannot show life.
        self.heartbeatsMissed = self.signsOfLife == 0 && self.isReading ? self.heartbeatsMissed + 1 : 0
        self.signsOfLife = 0
        guard self.heartbeatsMissed < self.settings.missedHeartbeats else {
            self.session?.carrierFailed(.tooSlow)
            context.close(promise: nil)
            return
        }
        self.ping()
        self.scheduleHeartbeat(context)
    }

    private func end() {
        self.state = .closed
        self.heartbeatTask?.cancel()
        self.closeTask?.cancel()
        self.firstPongTask?.cancel()
        self.session?.carrierEnded()
        self.session = nil
        self.input = ByteBuffer()
    }

    func readIfWanted() {
        guard self.isReading, !self.isInTurn, !self.readIsPending, let context = self.context else { return }
        guard self.input.readableBytes == 0 else { return self.waitForTurn() }
        self.readIsPending = true
        self.receiver?.limit = self.session?.uploadQuantum ?? .max
        context.read()
    }
}

@available(*, unavailable)
extension WebSocketHandler: Sendable {}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    /// Linux's `TCP_NOTSENT_LOWAT`, in bytes (tcp(7)).
    static var notSentLowWater: Self { .init(level: .tcp, name: .init(rawValue: 25)) }
}
