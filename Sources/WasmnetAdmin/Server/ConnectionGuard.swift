import NIOCore
import NIOHTTP1

/// Ends connections that take too long: to send a request, to send the next, or to accept an answer; and those that give way to
/// another under the ``ConnectionCap``. Answers a request that cannot be read.
final class ConnectionGuard: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private let limits: AdminConfiguration.Limits
    private let cap: ConnectionCap
    /// Its place goes to another, or the server stops: it ends as soon as it has no request in progress.
    private var isEvicted = false
    private var isOver = false
    /// The connection ends with the answer being written: anything else that arrives is not a request.
    private var isLast = false
    /// Its end is being passed to the kernel.
    private var isClosing = false
    /// Answers that the kernel does not have completely.
    private var unwritten = 0
    private var watch = ConnectionWatch()
    private var watched: Scheduled<Void>?
    private var stalled: Scheduled<Void>?
    /// The answer is out and the rest of the request is being discarded: until then, at the latest.
    private var lingering: Scheduled<Void>?
    private static let lingerTime = Duration.seconds(1)

    init(_ limits: AdminConfiguration.Limits, cap: ConnectionCap) {
        self.limits = limits
        self.cap = cap
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.schedule(context)
        if context.channel.isActive, !self.enter(context) { context.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.cancelAll() }

    func channelActive(context: ChannelHandlerContext) {
        let isIn = self.enter(context)
        context.fireChannelActive()
        if !isIn { context.close(promise: nil) }
    }

    private func enter(_ context: ChannelHandlerContext) -> Bool {
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let (eventLoop, origin) = (context.eventLoop, ConnectionCap.origin(of: context.channel.remoteAddress))
        return self.cap.enter(
            ConnectionCap.Member(
                id: ObjectIdentifier(self), origin: origin,
                end: { eventLoop.execute { loopBound.value.0.evict(loopBound.value.1) } },
                cut: { eventLoop.execute { loopBound.value.1.close(promise: nil) } }))
    }

    private func evict(_ context: ChannelHandlerContext) {
        self.isEvicted = true
        guard !self.isOver else { return }
        if self.watch.isIdle, self.unwritten == 0 {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(RequestHandler.ServerStops())
        }
    }

    private func cancelAll() {
        self.isOver = true
        self.cap.leave(ObjectIdentifier(self))
        self.watched?.cancel()
        self.stalled?.cancel()
        self.lingering?.cancel()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.cancelAll()
        context.fireChannelInactive()
    }

    /// A close with unread bytes is a reset, which may lose the answer for a client that is still sending: what it sends is read for a
    /// moment.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode != .all || self.unwritten == 0 else {
            self.isLast = true
            context.channel.closeFuture.cascade(to: promise)
            return
        }
        guard mode == .all, self.watch.phase == .body, self.lingering == nil, context.channel.isActive else {
            context.close(mode: mode, promise: promise)
            return
        }
        self.lingering = self.end(context, after: Self.lingerTime)
        context.channel.closeFuture.cascade(to: promise)
        context.close(mode: .output, promise: nil)
        context.read()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if self.lingering == nil { context.fireChannelReadComplete() } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.lingering == nil else {
            if case .end = self.unwrapInboundIn(data) { context.close(promise: nil) }
            return
        }
        // RFC 9112, section 9.6: anything after the last request is not processed.
        guard !self.isClosing else { return }
        switch self.unwrapInboundIn(data) {
        case .head: self.update(context) { $0.headCame() }
        case .body: break
        case .end: self.update(context) { $0.endCame() }
        }
        context.fireChannelRead(data)
        // Its answer may have been sent before.
        if self.isEvicted, self.watch.isIdle, self.unwritten == 0 {
            self.close(context: context, mode: .all, promise: nil)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch self.unwrapOutboundIn(data) {
        case .head(let head): self.isLast = head.headers.first(name: "Connection") == "close"
        case .body: break
        case .end: self.update(context) { $0.answerWritten() }
        }
        guard case .end = self.unwrapOutboundIn(data) else {
            context.write(data, promise: promise)
            return
        }
        if self.isLast || self.isEvicted { self.isClosing = true }
        self.unwritten += 1
        let written = promise ?? context.eventLoop.makePromise()
        let loopBound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        written.futureResult.whenComplete { _ in loopBound.value.0.wasWritten(loopBound.value.1) }
        context.write(data, promise: written)
    }

    private func wasWritten(_ context: ChannelHandlerContext) {
        self.unwritten -= 1
        guard self.unwritten == 0, self.isLast || self.isEvicted else { return }
        self.close(context: context, mode: .all, promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.stalled?.cancel()
        self.stalled = nil
        if !context.channel.isWritable { self.stalled = self.end(context, after: self.limits.stalledTime) }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !self.isLast else { return }
        guard error is HTTPParserError, [.firstRequest, .nextRequest].contains(self.watch.phase) else {
            context.fireErrorCaught(error)
            return
        }
        let isTooLarge = (error as? HTTPParserError) == .headerOverflow
        let answer =
            isTooLarge
            ? AdminError(status: 431, code: "header_too_large", message: "the request's header is too large")
            : AdminError.badRequest("bad_request", "this is not an HTTP request")
        let reply = Reply.error(answer)
        guard case .bytes(let bytes, _) = reply.body else { return }
        var head = HTTPResponseHead(version: .http1_1, status: reply.status, headers: reply.fields)
        head.headers.add(name: "Connection", value: "close")
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
        let loopBound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil))).whenComplete { _ in
            loopBound.value.close(promise: nil)
        }
    }

    private func update(_ context: ChannelHandlerContext, _ change: (inout ConnectionWatch) -> Void) {
        let before = self.watch.phase
        change(&self.watch)
        guard self.watch.phase != before else { return }
        self.cap.set(ObjectIdentifier(self), isIdle: self.watch.isIdle)
        self.schedule(context)
    }

    private func schedule(_ context: ChannelHandlerContext) {
        self.watched?.cancel()
        self.watched =
            switch self.watch.phase {
            case .firstRequest: self.end(context, after: self.limits.headerTime)
            // The answer that it took too long goes out first.
            case .body: self.end(context, after: self.limits.requestTime + .seconds(2))
            case .answer: nil
            case .nextRequest: self.end(context, after: self.limits.idleTime)
            }
    }

    private func end(_ context: ChannelHandlerContext, after time: Duration) -> Scheduled<Void> {
        let loopBound = NIOLoopBound(context, eventLoop: context.eventLoop)
        return context.eventLoop.scheduleTask(in: TimeAmount(time)) { loopBound.value.close(promise: nil) }
    }
}

@available(*, unavailable)
extension ConnectionGuard: Sendable {}
