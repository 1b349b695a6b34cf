import NIOCore
import NIOHTTP1

/// A connection's requests, one after the other, each head within bounds: each is answered, and one may become a session.
///
/// Nothing is read while a request is decided or answered, so that a client cannot pile up bytes meanwhile. A page request leaves the
/// connection open for the next one; between two it is as idle as a fresh one, and the first to give way. Every other answer ends the
/// connection, but only the node's own direction: what the client still sends is read and dropped for a moment, since a close with
/// unread bytes is a reset, which can lose the answer (RFC 9112, section 9.6).
final class RequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case reading(HeadReader)
        case deciding
        /// The answer is being sent; the next request may follow it.
        case answering
        /// The answer ends the connection.
        case answered
        case session
        case over
    }

    private let upgrader: SessionUpgrader
    private let environment: RelayEnvironment
    private let pages: StaticPages
    private let place: PendingPlace
    private var state = State.reading(HeadReader())
    /// The bytes after the head.
    private var rest = ByteBuffer()
    private var readIsHeld = false
    private var dropped = 0
    private var requests = 0
    private var inputHasEnded = false
    private var isDraining = false
    private var deadline: Scheduled<Void>?

    /// The most requests on one connection.
    package static let maxRequests = 100

    init(
        upgrader: SessionUpgrader, environment: RelayEnvironment, pages: StaticPages, place: PendingPlace
    ) {
        self.upgrader = upgrader
        self.environment = environment
        self.pages = pages
        self.place = place
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.closeLater(context, in: self.environment.settings.upgradeTimeout)
        self.place.onOrder = { self.obey($0, context) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        self.deadline = nil
        if case .session = self.state { return }
        self.state = .over
        self.place.leave()
    }

    private func closeLater(_ context: ChannelHandlerContext, in time: TimeAmount) {
        self.deadline?.cancel()
        self.deadline = context.eventLoop.assumeIsolated().scheduleTask(in: time) { context.close(promise: nil) }
    }

    // MARK: Bytes in

    func read(context: ChannelHandlerContext) {
        switch self.state {
        case .deciding, .answering: self.readIsHeld = true
        default: context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        switch self.state {
        case .reading(var reader):
            self.take(&bytes, &reader, context)
        case .deciding, .answering: self.rest.writeBuffer(&bytes)
        case .answered:
            self.dropped += bytes.readableBytes
            if self.dropped > self.environment.settings.lingerBytes { context.close(promise: nil) }
        case .session: context.fireChannelRead(data)
        case .over: break
        }
    }

    private func take(_ bytes: inout ByteBuffer, _ reader: inout HeadReader, _ context: ChannelHandlerContext) {
        let result = reader.take(from: &bytes)
        self.state = .reading(reader)
        self.took(result, heldBytes: reader.heldBytes, bytes, context)
    }

    private func took(
        _ result: HeadReader.Result, heldBytes: Int, _ rest: ByteBuffer, _ context: ChannelHandlerContext
    ) {
        switch result {
        case .more: self.place.set(.unfinished, headBytes: heldBytes)
        case .failed(let error): self.answer(PlainAnswer(HTTPRefusal(error)), context)
        case .whole(let head):
            self.place.set(.whole, headBytes: heldBytes)
            self.rest = rest
            do throws(HeadError) {
                self.decide(try RequestHead.parse(head), context)
            } catch {
                self.answer(PlainAnswer(HTTPRefusal(error)), context)
            }
        }
    }

    // MARK: The decision

    private func decide(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let withBody = request.method != .HEAD
        guard Handshake.isAsked(by: request) else {
            guard !self.environment.registry.isClosed else {
                return self.answer(PlainAnswer(.draining), withBody: withBody, context)
            }
            let answer = PlainAnswer(to: request, pages: self.pages, version: self.environment.version)
            self.answer(answer, withBody: withBody, isLast: !self.mayGoOn(after: request), context)
            return
        }
        self.state = .deciding
        self.upgrader.buildUpgradeResponse(
            channel: context.channel, upgradeRequest: request,
            initialResponseHeaders: ["Connection": "upgrade", "Upgrade": "websocket"]
        ).assumeIsolated().whenComplete { result in
            guard case .deciding = self.state else { return }
            switch result {
            case .success(let headers): self.upgrade(request, headers, context)
            case .failure: self.answer(PlainAnswer(self.upgrader.refusal ?? .draining), withBody: withBody, context)
            }
        }
    }

    private func upgrade(_ request: HTTPRequestHead, _ headers: HTTPHeaders, _ context: ChannelHandlerContext) {
        self.state = .session
        self.deadline?.cancel()
        var bytes = ByteBuffer()
        bytes.writeResponseHead(.switchingProtocols, headers)
        context.writeAndFlush(self.wrapOutboundOut(bytes), promise: nil)
        let place = self.place
        if !self.upgrader.saysFarewell { place.leave() }
        self.upgrader.upgrade(context: context, upgradeRequest: request).assumeIsolated().whenComplete { result in
            if case .failure = result { return context.close(promise: nil) }
            self.resumeReading(context)
            if self.rest.readableBytes > 0 {
                context.fireChannelRead(self.wrapInboundOut(self.rest))
                context.fireChannelReadComplete()
            }
            self.rest = ByteBuffer()
            context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
        }
    }

    private func resumeReading(_ context: ChannelHandlerContext) {
        guard self.readIsHeld else { return }
        self.readIsHeld = false
        context.read()
    }

    // MARK: Answers

    /// Whether another request may follow: the client did not end the connection with this one, and it has no body.
    private func mayGoOn(after request: HTTPRequestHead) -> Bool {
        self.requests += 1
        let headers = request.headers
        let hasBody =
            headers.contains(name: "Transfer-Encoding")
            || !headers["Content-Length"].allSatisfy { $0.utf8.elementsEqual("0".utf8) }
        return self.requests < Self.maxRequests && request.version == .http1_1 && request.isKeepAlive && !hasBody
            && (request.method == .GET || request.method == .HEAD)
    }

    private func answer(
        _ answer: PlainAnswer, withBody: Bool = true, isLast: Bool = true, _ context: ChannelHandlerContext
    ) {
        self.state = isLast ? .answered : .answering
        if isLast { self.rest = ByteBuffer() }
        self.place.set(.answered, headBytes: 0)
        self.closeLater(context, in: self.environment.settings.upgradeTimeout)
        let bytes = answer.bytes(withBody: withBody, isLast: isLast)
        context.writeAndFlush(self.wrapOutboundOut(bytes)).assumeIsolated().whenComplete { _ in
            guard context.channel.isActive else { return }
            if isLast { self.endOutput(context) } else { self.goOn(context) }
        }
        if isLast { self.resumeReading(context) }
    }

    private func endOutput(_ context: ChannelHandlerContext) {
        self.state = .answered
        self.closeLater(context, in: self.environment.settings.answerLinger)
        context.close(mode: .output, promise: nil)
        self.resumeReading(context)
    }

    /// Continues with the next request, which may have arrived already.
    private func goOn(_ context: ChannelHandlerContext) {
        guard case .answering = self.state else { return }
        guard !self.isDraining else { return self.endOutput(context) }
        var reader = HeadReader()
        self.state = .reading(reader)
        self.place.set(.idle, headBytes: 0)
        self.closeLater(context, in: self.environment.settings.upgradeTimeout)
        var bytes = self.rest
        self.rest = ByteBuffer()
        if bytes.readableBytes > 0 { self.take(&bytes, &reader, context) }
        guard case .reading = self.state else { return }
        if self.inputHasEnded { return context.close(promise: nil) }
        self.resumeReading(context)
    }

    private func obey(_ order: PendingConnections.Order, _ context: ChannelHandlerContext) {
        switch (self.state, order) {
        case (.reading, .leave), (.answering, .leave): context.close(promise: nil)
        case (.reading, .dropHead): self.answer(PlainAnswer(.tooManyHeads), context)
        case (.reading(let reader), .drain) where reader.hasBegun:
            // It has a moment to complete, and is answered then.
            self.closeLater(context, in: self.environment.settings.answerLinger)
        case (.reading, .drain): context.close(promise: nil)
        case (.answering, .drain): self.isDraining = true
        default: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            self.inputHasEnded = true
            // A client that has ended its direction awaits the answer; without a request to answer, it is over.
            if case .reading = self.state { context.close(promise: nil) }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension RequestHandler: Sendable {}
