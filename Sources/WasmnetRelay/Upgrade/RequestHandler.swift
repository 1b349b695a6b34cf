import NIOCore
import NIOHTTP1

/// The one request of a connection: its head, within bounds; then a session, or an answer that ends the connection.
///
/// Nothing is read while the request is decided, so that a client cannot pile up bytes meanwhile. An answer ends only the node's own
/// direction: what the client still sends is read and dropped for a moment, since a close with bytes unread is a reset, which can take the
/// answer from it (RFC 9112, section 9.6).
final class RequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        case reading(HeadReader)
        case deciding
        case answered
        case session
        case over
    }

    private let upgrader: SessionUpgrader
    private let environment: RelayEnvironment
    private let pages: StaticPages
    private let place: PendingPlace
    private var state = State.reading(HeadReader())
    /// What came behind the head.
    private var rest = ByteBuffer()
    private var readIsHeld = false
    private var dropped = 0
    private var deadline: Scheduled<Void>?

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
        if case .deciding = self.state { self.readIsHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = self.unwrapInboundIn(data)
        switch self.state {
        case .reading(var reader):
            let result = reader.take(from: &bytes)
            self.state = .reading(reader)
            self.took(result, heldBytes: reader.heldBytes, bytes, context)
        case .deciding: self.rest.writeBuffer(&bytes)
        case .answered:
            self.dropped += bytes.readableBytes
            if self.dropped > self.environment.settings.lingerBytes { context.close(promise: nil) }
        case .session: context.fireChannelRead(data)
        case .over: break
        }
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
            let answer =
                self.environment.registry.isClosed
                ? PlainAnswer(.draining)
                : PlainAnswer(to: request, pages: self.pages, version: self.environment.version)
            self.answer(answer, withBody: withBody, context)
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

    private func answer(_ answer: PlainAnswer, withBody: Bool = true, _ context: ChannelHandlerContext) {
        self.state = .answered
        self.rest = ByteBuffer()
        self.place.set(.answered, headBytes: 0)
        self.closeLater(context, in: self.environment.settings.upgradeTimeout)
        let written = context.writeAndFlush(self.wrapOutboundOut(answer.bytes(withBody: withBody))).assumeIsolated()
        written.whenComplete { _ in
            guard context.channel.isActive else { return }
            self.closeLater(context, in: self.environment.settings.answerLinger)
            context.close(mode: .output, promise: nil)
        }
        self.resumeReading(context)
    }

    private func obey(_ order: PendingConnections.Order, _ context: ChannelHandlerContext) {
        guard case .reading(let reader) = self.state else { return }
        switch order {
        case .leave: context.close(promise: nil)
        case .dropHead: self.answer(PlainAnswer(.tooManyHeads), context)
        case .drain where reader.hasBegun:
            // It has a moment to come to its end, and is answered then.
            self.closeLater(context, in: self.environment.settings.answerLinger)
        case .drain: context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that has ended its direction awaits the answer; without a request to answer, it is over.
        if case .inputClosed? = event as? ChannelEvent, case .reading = self.state { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension RequestHandler: Sendable {}
