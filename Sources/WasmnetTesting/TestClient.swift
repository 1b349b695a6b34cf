package import NIOCore
package import NIOHTTP1
import NIOPosix
package import NIOSSL
package import NIOWebSocket
package import WasmnetProtocol

/// A client of a node over a real WebSocket, for tests. Its frames are NIO's own, as an independent check of the node's.
package final class TestClient: Sendable {
    /// One item received from the node.
    package enum Incoming: Sendable, Equatable {
        case event(Event, isText: Bool, raw: ByteBuffer)
        case malformed(String)
        case close(code: UInt16?, reason: String)
        case ended
    }

    package let channel: any Channel
    package let response: HTTPResponseHead
    package let version: WireVersion
    private let inbox: NIOLoopBound<Inbox>

    private init(channel: any Channel, response: HTTPResponseHead, version: WireVersion, inbox: NIOLoopBound<Inbox>) {
        self.channel = channel
        self.response = response
        self.version = version
        self.inbox = inbox
    }

    /// Not the shared ones, which a node in this process uses for Redis: a page's work does not delay those.
    package static let loops: any EventLoopGroup = MultiThreadedEventLoopGroup(numberOfThreads: 2)

    package struct UpgradeRefused: Error, Sendable {
        package var status: UInt
        package var body: String
        package var headers: HTTPHeaders
    }

    /// Opens a session. Fails with ``UpgradeRefused`` when the node answers with another status.
    ///
    /// - Parameter preface: bytes sent before anything else, even TLS.
    package static func connect(
        port: Int, host: String = "127.0.0.1", version: WireVersion = .v2, subprotocols: [String]? = nil,
        path: String = "/", headers: HTTPHeaders = [:], tls: NIOSSLContext? = nil, preface: [UInt8] = [],
        on group: any EventLoopGroup = TestClient.loops
    ) async throws -> TestClient {
        let offered = subprotocols ?? (version == .v2 ? ["wasmnet.v2"] : [])
        var headers = headers
        headers.add(name: "Host", value: "\(host):\(port)")
        if !offered.isEmpty { headers.add(name: "Sec-WebSocket-Protocol", value: offered.joined(separator: ", ")) }
        let eventLoop = group.any()
        let promise = eventLoop.makePromise(of: TestClient.self)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { [headers] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PrefaceHandler(preface))
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil))
                    }
                    let refusals = RefusalHandler(promise: promise)
                    let head = NIOLoopBoundBox<HTTPResponseHead?>(nil, eventLoop: channel.eventLoop)
                    let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: 1 << 24) { channel, response in
                        channel.eventLoop.makeCompletedFuture {
                            head.value = response
                            let inbox = Inbox(version: version, eventLoop: channel.eventLoop)
                            try channel.pipeline.syncOperations.addHandler(inbox)
                            let bound = NIOLoopBound(inbox, eventLoop: channel.eventLoop)
                            promise.succeed(
                                TestClient(channel: channel, response: response, version: version, inbox: bound))
                        }
                    }
                    let removal = NIOLoopBound(refusals, eventLoop: channel.eventLoop)
                    try channel.pipeline.syncOperations.addHTTPClientHandlers(
                        leftOverBytesStrategy: .forwardBytes,
                        withClientUpgrade: (
                            upgraders: [upgrader],
                            completionHandler: { context in
                                context.pipeline.syncOperations.removeHandler(removal.value, promise: nil)
                            }
                        ))
                    refusals.request = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
                    try channel.pipeline.syncOperations.addHandler(refusals)
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: host, port: port).get()
        } catch {
            promise.fail(error)
            return try await promise.futureResult.get()
        }
        channel.closeFuture.whenComplete { _ in promise.fail(ChannelError.eof) }
        return try await promise.futureResult.get()
    }

    // MARK: Sending

    package func send(_ request: Request, as encoding: WireEncoding = .binary) {
        var payload = ByteBuffer()
        MessageCodec(version: self.version).encode(request, as: encoding, into: &payload)
        self.sendMessage(payload, isText: encoding == .json)
    }

    package func sendMessage(_ payload: ByteBuffer, isText: Bool = false) {
        self.sendFrame(WebSocketFrame(fin: true, opcode: isText ? .text : .binary, maskKey: .random(), data: payload))
    }

    package func sendText(_ text: String) {
        self.sendMessage(ByteBuffer(string: text), isText: true)
    }

    package func sendFrame(_ frame: WebSocketFrame) {
        self.channel.writeAndFlush(frame, promise: nil)
    }

    /// Sends and waits until the kernel has the bytes.
    package func sendWaiting(_ request: Request) async throws {
        var payload = ByteBuffer()
        MessageCodec(version: self.version).encode(request, as: .binary, into: &payload)
        try await self.channel.writeAndFlush(
            WebSocketFrame(fin: true, opcode: .binary, maskKey: .random(), data: payload))
    }

    // MARK: Receiving

    /// The next item received; fails after `timeout`.
    package func next(timeout: TimeAmount = .seconds(20)) async throws -> Incoming {
        let inbox = self.inbox
        return try await self.channel.eventLoop.flatSubmit { inbox.value.next(timeout: timeout) }.get()
    }

    /// The next event; fails when something else arrives.
    package func nextEvent(timeout: TimeAmount = .seconds(20)) async throws -> Event {
        switch try await self.next(timeout: timeout) {
        case .event(let event, _, _): return event
        case let other: throw Unexpected(incoming: other)
        }
    }

    package struct Unexpected: Error, CustomStringConvertible {
        package var incoming: Incoming

        package init(incoming: Incoming) {
            self.incoming = incoming
        }

        package var description: String { "unexpected: \(self.incoming)" }
    }

    /// Stops or resumes reading the WebSocket.
    package func setReading(_ reading: Bool) async throws {
        try await self.channel.setOption(.autoRead, value: reading).get()
    }

    package func close() async {
        try? await self.channel.close()
    }
}

/// Received items that no caller has taken yet, and callers that still wait for items.
private final class Inbox: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let codec: MessageCodec
    private let eventLoop: any EventLoop
    private var queue: CircularBuffer<TestClient.Incoming> = []
    private var waiters: CircularBuffer<EventLoopPromise<TestClient.Incoming>> = []

    init(version: WireVersion, eventLoop: any EventLoop) {
        self.codec = MessageCodec(version: version)
        self.eventLoop = eventLoop
    }

    func next(timeout: TimeAmount) -> EventLoopFuture<TestClient.Incoming> {
        let promise = self.eventLoop.makePromise(of: TestClient.Incoming.self)
        if let first = self.queue.popFirst() {
            promise.succeed(first)
        } else {
            self.waiters.append(promise)
            let timer = self.eventLoop.scheduleTask(in: timeout) { promise.fail(ChannelError.connectTimeout(timeout)) }
            promise.futureResult.whenComplete { _ in timer.cancel() }
        }
        return promise.futureResult
    }

    private func deliver(_ incoming: TestClient.Incoming) {
        if let waiter = self.waiters.popFirst() { waiter.succeed(incoming) } else { self.queue.append(incoming) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = self.unwrapInboundIn(data)
        switch frame.opcode {
        case .binary, .text:
            let isText = frame.opcode == .text
            switch self.codec.decodeEvent(frame.data, isText: isText) {
            case .success(let event): self.deliver(.event(event, isText: isText, raw: frame.data))
            case .failure(let error): self.deliver(.malformed(error.message))
            }
        case .connectionClose:
            var data = frame.data
            let code: UInt16? = data.readInteger()
            self.deliver(.close(code: code, reason: String(buffer: data)))
            context.writeAndFlush(
                self.wrapOutboundOut(
                    WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: frame.data)),
                promise: nil)
        case .ping:
            context.writeAndFlush(
                self.wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.data)),
                promise: nil)
        default: break
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.deliver(.ended)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Sends the upgrade request, and reports an answer that is not an upgrade.
private final class RefusalHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let promise: EventLoopPromise<TestClient>
    var request: HTTPRequestHead?
    private var head: HTTPResponseHead?
    private var body = ""

    init(promise: EventLoopPromise<TestClient>) {
        self.promise = promise
    }

    func channelActive(context: ChannelHandlerContext) {
        if let request = self.request {
            context.write(self.wrapOutboundOut(.head(request)), promise: nil)
            context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let part): self.body += String(buffer: part)
        case .end:
            self.promise.fail(
                TestClient.UpgradeRefused(
                    status: self.head?.status.code ?? 0, body: self.body, headers: self.head?.headers ?? [:]))
            context.close(promise: nil)
        }
    }
}

/// Sends its own bytes before all others.
private final class PrefaceHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func channelActive(context: ChannelHandlerContext) {
        if !self.bytes.isEmpty {
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(bytes: self.bytes)), promise: nil)
        }
        context.fireChannelActive()
    }
}
