package import NIOCore
import WasmnetProtocol

/// Turns a session's messages into frames, and decides when they go out.
extension WebSocketHandler: SessionCarrier {
    /// A message up to this size is copied into the outbox; a larger one is written without a copy.
    private static let gatherLimit = 4 << 10

    package var hasRoom: Bool { self.acceptsUrgentData && (!self.deliveryIsLimited || self.delivery.hasRoom) }

    package var acceptsUrgentData: Bool {
        guard self.state == .open, let context = self.context else { return false }
        return self.unflushed < self.settings.outboundHighWaterBytes && context.channel.isWritable
    }

    package var piece: Int? { self.deliveryIsLimited && self.delivery.isAnswered ? self.delivery.limit / 3 : nil }

    package var replyBacklogExceeded: Bool {
        self.answersQueued > self.settings.answerBacklogBytes
    }

    package func sendAnswer(_ message: ByteBuffer, isText: Bool) {
        guard self.state == .open else { return }
        self.outbox.writeFrameHeader(isText ? .text : .binary, length: message.readableBytes)
        self.outbox.writeImmutableBuffer(message)
        self.countAnswer(message.readableBytes)
        self.flushSoon()
    }

    package func sendText(_ message: ByteBuffer) {
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

    package func sendData(header: ByteBuffer, payload: ByteBuffer) {
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

    /// A peer that answers no ping violates RFC 6455, but must not wait forever either.
    private func awaitFirstPong() {
        guard self.firstPongTask == nil, let context = self.context else { return }
        self.firstPongTask = context.eventLoop.assumeIsolated().scheduleTask(in: self.settings.firstPongTimeout) {
            self.delivery.stopProbing()
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

    package func flushSoon() {
        guard !self.flushIsScheduled, let context = self.context else { return }
        self.flushIsScheduled = true
        // Tasks run after all the I/O events of this turn: their output is flushed once.
        context.eventLoop.assumeIsolated().execute { self.endOfTurn() }
    }

    private func endOfTurn() {
        self.flushIsScheduled = false
        self.flushNow()
        self.session?.turnEnded()
        if self.hasRoom { self.session?.carrierHasRoom() }
    }

    package func flushNow() {
        guard let context = self.context else { return }
        if self.outbox.readableBytes > 0 { self.writeOutbox(context) }
        self.unflushed = 0
        context.flush()
        if context.channel.isWritable { self.answersQueued = 0 }
    }

    package func setReading(_ reading: Bool) {
        self.isReading = reading
        self.readIfWanted()
    }

    package func limitDelivery() {
        self.deliveryIsLimited = true
        // The first answer measures the connection while it is empty.
        self.ping()
    }

    package var roundTrip: Int64? { self.delivery.roundTrip }

    package func ping() {
        self.writeControl(.ping, ByteBuffer(integer: self.delivery.mark(now: self.clock.uptimeNanoseconds())))
    }

    package func close(_ code: CloseCode, _ reason: String) {
        guard self.state == .open, let context = self.context else { return }
        self.writeControl(.close, code.payload(reason))
        self.state = .closing
        self.flushNow()
        self.sessionIsOver()
        self.closeTask = context.eventLoop.assumeIsolated().scheduleTask(in: self.settings.closeTimeout) {
            context.close(promise: nil)
        }
        // The peer's close frame must be read for the handshake to end.
        self.setReading(true)
    }

    func writeControl(_ kind: FrameKind, _ payload: ByteBuffer) {
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
}
