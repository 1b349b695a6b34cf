package import NIOCore
import NIOPosix
import WasmnetProtocol

/// The transport: bytes of one WebSocket to messages of one session, and back. The only type that knows frames.
///
/// Duties: frame headers and unmasking; fragments; ping, pong and the death of silent peers; the close handshake; gathering small
/// messages of one turn of the event loop into one write; and telling the session when there is room to send.
package final class WebSocketHandler: ChannelDuplexHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundIn = Never
    package typealias OutboundOut = ByteBuffer

    private enum State {
        case open
        /// We sent a close frame and wait for the peer's.
        case closing
        case closed
    }

    private let settings: RelaySettings
    private let clock: any RelayClock
    private let makeSession: (any SessionCarrier, any Channel) -> Session
    private var session: Session?
    private var context: ChannelHandlerContext?
    private var state = State.open

    private let parser: FrameParser
    private var assembler: MessageAssembler
    /// The beginning of a frame whose rest has not come yet.
    private var partial = ByteBuffer()

    /// Small messages that wait for the end of the turn.
    private var outbox = ByteBuffer()
    private var unflushed = 0
    private var answersQueued = 0
    private var flushIsScheduled = false

    /// What is on its way to the peer: room in it is part of ``hasRoom``.
    private var delivery = DeliveryWindow()
    private var deliveryIsLimited = false
    private var deliveryMadeRoom = false

    private let receiver: ReceiveAllocator?
    private var isReading = true
    private var readIsPending = false
    private var signsOfLife = 0
    private var heartbeatsMissed = 0
    private var heartbeatTask: Scheduled<Void>?
    private var closeTask: Scheduled<Void>?
    private var firstPongTask: Scheduled<Void>?

    /// A message up to this size is copied into the outbox; a larger one is written as it stands.
    private static let gatherLimit = 4 << 10

    init(
        settings: RelaySettings, clock: any RelayClock, receiver: ReceiveAllocator? = nil,
        makeSession: @escaping (any SessionCarrier, any Channel) -> Session
    ) {
        self.receiver = receiver
        self.settings = settings
        self.clock = clock
        self.makeSession = makeSession
        self.parser = FrameParser(maxLength: settings.maxMessageBytes)
        self.assembler = MessageAssembler(maxLength: settings.maxMessageBytes)
    }

    /// Builds the handler with the options its channel needs set.
    static func install(
        on channel: any Channel, position: ChannelPipeline.SynchronousOperations.Position = .last,
        settings: RelaySettings, clock: any RelayClock,
        makeSession: @escaping (any SessionCarrier, any Channel) -> Session
    ) throws {
        let receiver = ReceiveAllocator(largest: settings.carrierReadChunkBytes)
        if let options = channel.syncOptions {
            // Only real sockets know these; an embedder's or a test's channel may not be one.
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
            WebSocketHandler(settings: settings, clock: clock, receiver: receiver, makeSession: makeSession),
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
        self.signsOfLife &+= 1
        while bytes.readableBytes > 0, self.state != .closed {
            if self.partial.readableBytes == 0 {
                if !self.parseWhole(&bytes, context) { break }
            } else {
                self.completePartial(from: &bytes, context)
            }
        }
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        self.readIsPending = false
        self.session?.carrierReadComplete()
        if self.deliveryMadeRoom {
            self.deliveryMadeRoom = false
            if self.hasRoom { self.session?.carrierHasRoom() }
        }
        self.readIfWanted()
        context.fireChannelReadComplete()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            // Progress of our bytes is life as well: a slow reader's pong is behind them.
            self.signsOfLife &+= 1
            self.answersQueued = 0
            self.session?.carrierHasRoom()
        }
        context.fireChannelWritabilityChanged()
    }

    package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            // Half a WebSocket is none.
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Frames in

    /// Takes frames straight out of what was read. False when only the beginning of a frame is left, which was put aside.
    private func parseWhole(_ bytes: inout ByteBuffer, _ context: ChannelHandlerContext) -> Bool {
        switch self.parser.parse(bytes) {
        case .header(let header) where bytes.readableBytes >= header.totalLength:
            bytes.moveReaderIndex(forwardBy: header.headerLength)
            guard let payload = bytes.readSlice(length: header.length) else { return false }
            self.receive(header, payload, context)
            return true
        case .header(let header):
            self.putAside(&bytes, expecting: header.totalLength)
            return false
        case .incomplete(let needed):
            self.putAside(&bytes, expecting: needed)
            return false
        case .error(let error):
            self.fail(error)
            return false
        }
    }

    private func putAside(_ bytes: inout ByteBuffer, expecting total: Int) {
        // Not all of a large message at once: a peer that only announces one must not cost its size.
        self.partial = ByteBuffer()
        self.partial.reserveCapacity(min(total, self.settings.readChunkBytes))
        self.partial.writeBuffer(&bytes)
    }

    /// Moves just the bytes that the frame put aside still lacks.
    private func completePartial(from bytes: inout ByteBuffer, _ context: ChannelHandlerContext) {
        switch self.parser.parse(self.partial) {
        case .incomplete(let needed):
            self.move(needed - self.partial.readableBytes, from: &bytes)
        case .header(let header) where self.partial.readableBytes < header.totalLength:
            self.move(header.totalLength - self.partial.readableBytes, from: &bytes)
        case .header:
            break
        case .error(let error):
            self.fail(error)
            return
        }
        if case .header(let header) = self.parser.parse(self.partial),
            self.partial.readableBytes >= header.totalLength
        {
            var frame = self.partial
            self.partial = ByteBuffer()
            frame.moveReaderIndex(forwardBy: header.headerLength)
            self.receive(header, frame, context)
        }
    }

    private func move(_ count: Int, from bytes: inout ByteBuffer) {
        if var slice = bytes.readSlice(length: min(count, bytes.readableBytes)) { self.partial.writeBuffer(&slice) }
    }

    private func receive(_ header: FrameHeader, _ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        payload.withUnsafeReadableBytes { bytes in
            // In place although NIO still holds a reference to the read: nobody reads these bytes but we, and a copy of every
            // byte that comes up would be the price of saying so to the type system.
            unmask(UnsafeMutableRawBufferPointer(mutating: bytes), with: header.mask)
        }
        switch self.assembler.receive(header.kind, isFinal: header.isFinal, payload: payload) {
        case .message(let message, let isText):
            guard self.state == .open else { return }
            self.session?.receive(message, isText: isText)
        case .ping(let payload):
            guard self.state == .open else { return }
            self.writeControl(.pong, payload)
        case .pong(let payload):
            self.receivedPong(payload)
        case .close(let code):
            self.receivedClose(code, context)
        case .nothing:
            break
        case .error(let error):
            self.fail(error)
        }
    }

    private func receivedPong(_ payload: ByteBuffer) {
        // An unsolicited pong is a sign of life and no more.
        guard let number = payload.getInteger(at: payload.readerIndex, as: UInt64.self) else { return }
        let hadRoom = self.delivery.hasRoom
        self.delivery.answered(number, now: self.clock.uptimeNanoseconds())
        if self.deliveryIsLimited, self.delivery.needsMarker { self.ping() }
        if !hadRoom, self.delivery.hasRoom { self.deliveryMadeRoom = true }
    }

    private func fail(_ error: FrameError) {
        self.close(error.closeCode, error.message)
        // Whatever follows cannot be told apart from frames any more.
        self.partial = ByteBuffer()
    }

    private func receivedClose(_ code: UInt16?, _ context: ChannelHandlerContext) {
        if self.state == .open {
            var payload = ByteBuffer()
            if let code { payload.writeInteger(code) }
            self.writeControl(.close, payload)
        }
        self.state = .closed
        self.flushNow()
        self.session?.carrierEnded()
        context.close(promise: nil)
    }

    // MARK: Life and death

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
    }

    // MARK: Frames out

    private func writeControl(_ kind: FrameKind, _ payload: ByteBuffer) {
        self.outbox.writeFrameHeader(kind, length: payload.readableBytes)
        self.outbox.writeImmutableBuffer(payload)
        self.countAnswer(payload.readableBytes + 2)
        self.flushSoon()
    }

    private func countAnswer(_ bytes: Int) {
        self.unflushed += bytes
        self.answersQueued += bytes
    }

    private func write(_ buffer: ByteBuffer) {
        guard let context = self.context else { return }
        if self.outbox.readableBytes > 0 { self.writeOutbox(context) }
        context.write(self.wrapOutboundOut(buffer), promise: nil)
    }

    private func writeOutbox(_ context: ChannelHandlerContext) {
        let gathered = self.outbox
        self.outbox = ByteBuffer()
        context.write(self.wrapOutboundOut(gathered), promise: nil)
    }

    private func readIfWanted() {
        guard self.isReading, !self.readIsPending, self.state != .closed, let context = self.context else { return }
        self.readIsPending = true
        self.receiver?.limit = self.session?.uploadQuantum ?? .max
        context.read()
    }
}

extension WebSocketHandler: SessionCarrier {
    var hasRoom: Bool { self.takesUrgent && (!self.deliveryIsLimited || self.delivery.hasRoom) }

    var takesUrgent: Bool {
        guard self.state == .open, let context = self.context else { return false }
        return self.unflushed < self.settings.outboundHighWaterBytes && context.channel.isWritable
    }

    var answersPileUp: Bool {
        self.answersQueued > self.settings.answerBacklogBytes
    }

    func sendAnswer(_ message: ByteBuffer, isText: Bool) {
        guard self.state == .open else { return }
        self.outbox.writeFrameHeader(isText ? .text : .binary, length: message.readableBytes)
        self.outbox.writeImmutableBuffer(message)
        self.countAnswer(message.readableBytes)
        self.flushSoon()
    }

    func sendText(_ message: ByteBuffer) {
        guard self.state == .open else { return }
        let length = message.readableBytes
        self.outbox.writeFrameHeader(.text, length: length)
        self.unflushed += length
        if length <= Self.gatherLimit {
            self.outbox.writeImmutableBuffer(message)
        } else {
            self.write(message)
        }
        self.sentData(length)
    }

    func sendData(header: ByteBuffer, payload: ByteBuffer) {
        guard self.state == .open else { return }
        let length = header.readableBytes + payload.readableBytes
        self.unflushed += length
        if payload.readableBytes <= Self.gatherLimit {
            self.outbox.writeFrameHeader(.binary, length: length)
            self.outbox.writeImmutableBuffer(header)
            self.outbox.writeImmutableBuffer(payload)
        } else if payload.readerIndex >= ByteBuffer.frameHeaderLength(payload: length) + header.readableBytes {
            self.write(Self.prefixed(payload, with: header, length: length))
        } else {
            self.outbox.writeFrameHeader(.binary, length: length)
            self.outbox.writeImmutableBuffer(header)
            self.write(payload)
        }
        self.sentData(length)
    }

    private func sentData(_ bytes: Int) {
        guard self.deliveryIsLimited else { return self.flushSoon() }
        if self.delivery.send(bytes) { self.ping() }
        if !self.delivery.isAnswered, !self.delivery.hasRoom { self.awaitFirstPong() }
        self.flushSoon()
    }

    /// A peer that answers no ping is none of RFC 6455's, but shall not wait for ever either.
    private func awaitFirstPong() {
        guard self.firstPongTask == nil, let context = self.context else { return }
        self.firstPongTask = context.eventLoop.assumeIsolated().scheduleTask(in: self.settings.firstPongTimeout) {
            self.delivery.giveUp()
            if self.hasRoom { self.session?.carrierHasRoom() }
        }
    }

    /// Writes both headers into the room in front of the payload: one buffer, no copy of it.
    private static func prefixed(_ payload: consuming ByteBuffer, with header: ByteBuffer, length: Int) -> ByteBuffer {
        var head = ByteBuffer()
        head.writeFrameHeader(.binary, length: length)
        head.writeImmutableBuffer(header)
        let start = payload.readerIndex - head.readableBytes
        payload.setBuffer(head, at: start)
        payload.moveReaderIndex(to: start)
        return payload
    }

    func flushSoon() {
        guard !self.flushIsScheduled, let context = self.context else { return }
        self.flushIsScheduled = true
        // Tasks run after all the I/O events of this turn: what they brought is flushed once.
        context.eventLoop.assumeIsolated().execute { self.endOfTurn() }
    }

    private func endOfTurn() {
        self.flushIsScheduled = false
        self.flushNow()
        self.session?.turnEnded()
        if self.hasRoom { self.session?.carrierHasRoom() }
    }

    func flushNow() {
        guard let context = self.context else { return }
        if self.outbox.readableBytes > 0 { self.writeOutbox(context) }
        self.unflushed = 0
        context.flush()
        if context.channel.isWritable { self.answersQueued = 0 }
    }

    func setReading(_ reading: Bool) {
        self.isReading = reading
        self.readIfWanted()
    }

    func limitDelivery() {
        self.deliveryIsLimited = true
        // The first answer tells the way without anything on it.
        self.ping()
    }

    var roundTrip: Int64? { self.delivery.roundTrip }

    func ping() {
        self.writeControl(.ping, ByteBuffer(integer: self.delivery.mark(now: self.clock.uptimeNanoseconds())))
    }

    func close(_ code: CloseCode, _ reason: String) {
        guard self.state == .open, let context = self.context else { return }
        var payload = ByteBuffer(integer: code.rawValue)
        // A control frame's payload is at most 125 bytes, and cut between characters.
        let bytes = reason.utf8
        var end = bytes.index(bytes.startIndex, offsetBy: 123, limitedBy: bytes.endIndex) ?? bytes.endIndex
        while end.samePosition(in: reason) == nil { end = bytes.index(before: end) }
        payload.writeSubstring(reason[..<end])
        self.writeControl(.close, payload)
        self.state = .closing
        self.flushNow()
        self.session?.carrierEnded()
        self.closeTask = context.eventLoop.assumeIsolated().scheduleTask(in: self.settings.closeTimeout) {
            context.close(promise: nil)
        }
        // The peer's close frame must be read for the handshake to end.
        self.setReading(true)
    }
}

@available(*, unavailable)
extension WebSocketHandler: Sendable {}

extension ChannelOption where Self == ChannelOptions.Types.SocketOption {
    /// Linux's `TCP_NOTSENT_LOWAT`, in bytes (tcp(7)).
    static var notSentLowWater: Self { .init(level: .tcp, name: .init(rawValue: 25)) }
}
