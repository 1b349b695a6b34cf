import Glibc
import NIOCore
import NIOHTTP1
import WasmnetNet

/// The requests of one connection, one at a time: reads the body that a route expects, obtains the answer and writes it.
///
/// A request refused by its head is answered at once; its body is discarded as it arrives. The ``ConnectionGuard`` before it ends the
/// connection after an answer that says so.
final class RequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    /// The server stops: a connection with a request in progress ends with its answer, and a stream at once.
    struct ServerStops {}

    private enum State {
        case waiting
        case reading(AdminRequest, body: [UInt8], deadline: Scheduled<Void>)
        /// It was refused by its head.
        case refused
        case answering
        case streaming(Task<Void, Never>)
    }

    private let responder: AdminResponder
    private var state = State.waiting
    /// Of the request in progress.
    private var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
    private var isInputClosed = false
    private var isStopping = false

    init(_ responder: AdminResponder) { self.responder = responder }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            do throws(AdminError) {
                let remote = context.remoteAddress.map(Self.text) ?? "?"
                self.begin(try self.responder.admit(head, from: remote), context)
            } catch {
                self.refuseLater(error, context)
            }
        case .body(let part):
            guard case .reading(let request, var body, let deadline) = self.state else { return }
            guard body.count + part.readableBytes <= self.responder.limits.bodyBytes else {
                return self.refuse(.bodyTooLarge, context)
            }
            // Held once: appending copies only the part.
            self.state = .waiting
            body.append(contentsOf: part.readableBytesView)
            self.state = .reading(request, body: body, deadline: deadline)
        case .end:
            guard case .reading(let request, let body, let deadline) = self.state else { return }
            deadline.cancel()
            self.call(request, body, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Invalid chunks, or an end before the body's: the client's fault.
        guard case .reading = self.state else { return context.close(promise: nil) }
        self.refuse(.bodyBroken, context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ServerStops:
            self.isStopping = true
            if case .streaming(let task) = self.state { task.cancel() }
        case ChannelEvent.inputClosed:
            self.isInputClosed = true
            switch self.state {
            case .waiting: context.close(promise: nil)
            case .reading: self.refuse(.bodyBroken, context)
            case .refused, .answering, .streaming: break
            }
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        switch self.state {
        // A call in progress is completed, and is audited.
        case .waiting, .refused, .answering: break
        case .reading(let request, _, let deadline):
            deadline.cancel()
            _ = self.responder.refused(request, .bodyBroken)
        case .streaming(let task): task.cancel()
        }
        self.state = .waiting
        context.fireChannelInactive()
    }

    // MARK: From a request to its answer

    private func begin(_ request: AdminRequest, _ context: ChannelHandlerContext) {
        guard request.takesBody else { return self.call(request, [], context) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let deadline = context.eventLoop.scheduleTask(in: TimeAmount(self.responder.limits.requestTime)) {
            bound.value.0.refuse(.bodyTooSlow, bound.value.1)
        }
        self.state = .reading(request, body: [], deadline: deadline)
    }

    private func call(_ request: AdminRequest, _ body: [UInt8], _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        self.state = .answering
        Task { [responder, eventLoop = context.eventLoop] in
            let reply = await responder.answer(request, body: body)
            eventLoop.execute { bound.value.0.answered(reply, bound.value.1) }
        }
    }

    private func answered(_ reply: Reply, _ context: ChannelHandlerContext) {
        guard case .answering = self.state else { return }
        self.write(reply, context)
    }

    /// Not while a request is being read: the handler that holds back the next one would deliver it recursively, as deep as the number of
    /// requests sent at once.
    private func refuseLater(_ error: AdminError, _ context: ChannelHandlerContext) {
        self.state = .refused
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        context.eventLoop.execute {
            guard case .refused = bound.value.0.state else { return }
            bound.value.0.write(.error(error), bound.value.1)
        }
    }

    /// Ends the request whose body is being read, and the connection: what it sends next cannot be told from a request.
    private func refuse(_ error: AdminError, _ context: ChannelHandlerContext) {
        guard case .reading(let request, _, let deadline) = self.state else { return }
        deadline.cancel()
        self.write(.error(self.responder.refused(request, error)), context, isLast: true)
    }

    // MARK: Writing

    private func write(_ reply: Reply, _ context: ChannelHandlerContext, isLast: Bool = false) {
        let isHead = self.head.method == .HEAD
        var response = HTTPResponseHead(version: self.head.version, status: reply.status, headers: reply.fields)
        response.headers.add(name: "Date", value: Self.date(time_t(MachineClock.wall().milliseconds / 1000)))
        switch reply.body {
        case .stream(_, let source) where !isHead:
            response.headers.add(name: "Connection", value: "close")
            context.writeAndFlush(self.wrapOutboundOut(.head(response)), promise: nil)
            self.stream(source, context)
        case .bytes(let bytes, _) where !isHead:
            self.finish(response, bytes, context, isLast)
        case .bytes, .none: self.finish(response, nil, context, isLast)
        // It ends with the connection: the encoder would write the end of a body.
        case .stream:
            response.headers.add(name: "Connection", value: "close")
            self.state = .waiting
            context.write(self.wrapOutboundOut(.head(response)), promise: nil)
            context.flush()
            context.close(mode: .all, promise: nil)
        }
    }

    private func finish(
        _ response: HTTPResponseHead, _ body: ByteBuffer?, _ context: ChannelHandlerContext, _ isLast: Bool
    ) {
        var response = response
        // NIO's parser reads nothing after a request to change the protocol.
        let changesProtocol = self.head.method == .CONNECT || self.head.headers.contains(name: "Upgrade")
        let isLast = isLast || changesProtocol || self.isInputClosed || !self.head.isKeepAlive
        if isLast || self.head.version == .http1_0 {
            response.headers.add(name: "Connection", value: isLast ? "close" : "keep-alive")
        }
        self.state = .waiting
        context.write(self.wrapOutboundOut(.head(response)), promise: nil)
        if let body { context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Each part is written once the kernel has the one before; a client that accepts none for too long is dropped.
    private func stream(_ source: @escaping Reply.Source, _ context: ChannelHandlerContext) {
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let (channel, stalledTime) = (context.channel, TimeAmount(self.responder.limits.stalledTime))
        let task = Task {
            try? await source { part in
                let stalled = channel.eventLoop.scheduleTask(in: stalledTime) { channel.close(promise: nil) }
                defer { stalled.cancel() }
                try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(part))).get()
            }
            channel.eventLoop.execute {
                let (handler, context) = bound.value
                guard case .streaming = handler.state else { return }
                handler.state = .waiting
                context.writeAndFlush(handler.wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
        self.state = .streaming(task)
        if self.isStopping { task.cancel() }
    }

    /// In the format of RFC 9110, section 5.6.7.
    static func date(_ seconds: time_t) -> String {
        var (seconds, parts, bytes) = (seconds, tm(), [CChar](repeating: 0, count: 32))
        gmtime_r(&seconds, &parts)
        let count = strftime(&bytes, bytes.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func text(_ address: SocketAddress) -> String {
        "\(address.ipAddress ?? "?"):\(address.port.map(String.init) ?? "?")"
    }
}

@available(*, unavailable)
extension RequestHandler: Sendable {}
