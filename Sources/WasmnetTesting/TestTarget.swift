import Glibc
package import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix

/// A TCP server for tests, with one behaviour for each connection.
package final class TestTarget: Sendable {
    package let channel: any Channel
    package let port: Int
    private let open: NIOLockedValueBox<[ObjectIdentifier: any Channel]>
    private let opened: NIOLockedValueBox<Int>

    package enum Behaviour: Sendable {
        /// Echoes what it receives; ends when the peer ends.
        case echo
        /// Reads everything, sends nothing, and reports how much it received, when the peer ends.
        case countThenReport
        /// Reads everything, sends nothing, and adds up how much it received on all connections.
        case sum(NIOLockedValueBox<Int>)
        /// Sends this many bytes (a pattern by offset) as fast as possible, then ends.
        case send(Int)
        /// Reads nothing at all.
        case deaf
        /// Resets the connection on the first bytes.
        case reset
        /// Sends bytes as fast as possible until the peer ends.
        case flood
        /// The test's own.
        case custom(@Sendable (any Channel) throws -> Void)
    }

    private init(
        channel: any Channel, open: NIOLockedValueBox<[ObjectIdentifier: any Channel]>, opened: NIOLockedValueBox<Int>
    ) {
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
        self.open = open
        self.opened = opened
    }

    package static func start(
        _ behaviour: Behaviour, host: String = "127.0.0.1", port: Int = 0
    ) async throws -> TestTarget {
        let open = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])
        let opened = NIOLockedValueBox(0)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 1024)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    open.withLockedValue { $0[ObjectIdentifier(channel)] = channel }
                    opened.withLockedValue { $0 += 1 }
                    channel.closeFuture.whenComplete { _ in
                        _ = open.withLockedValue { $0.removeValue(forKey: ObjectIdentifier(channel)) }
                    }
                    let pipeline = channel.pipeline.syncOperations
                    switch behaviour {
                    case .echo: try pipeline.addHandler(EchoHandler())
                    case .countThenReport: try pipeline.addHandler(CountingHandler())
                    case .sum(let sum): try pipeline.addHandler(SummingHandler(sum))
                    case .send(let count): try pipeline.addHandler(SendingHandler(count: count))
                    case .flood: try pipeline.addHandler(SendingHandler(count: .max))
                    case .deaf: try channel.syncOptions?.setOption(.autoRead, value: false)
                    case .reset: try pipeline.addHandler(ResetHandler())
                    case .custom(let body): try body(channel)
                    }
                }
            }
            .bind(host: host, port: port).get()
        return TestTarget(channel: channel, open: open, opened: opened)
    }

    /// Connections that are open now.
    package var openCount: Int { self.open.withLockedValue { $0.count } }
    /// All connections so far.
    package var openedCount: Int { self.opened.withLockedValue { $0 } }

    package func stop() async {
        try? await self.channel.close()
        for channel in self.open.withLockedValue({ Array($0.values) }) { try? await channel.close() }
    }
}

private final class EchoHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.write(data, promise: nil)
        if !context.channel.isWritable { try? context.channel.syncOptions?.setOption(.autoRead, value: false) }
    }

    func channelReadComplete(context: ChannelHandlerContext) { context.flush() }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { try? context.channel.syncOptions?.setOption(.autoRead, value: true) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(mode: .output, promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class CountingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private var count = 0
    private var isRight = true

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        self.isRight = self.isRight && Pattern.matches(bytes, from: self.count)
        self.count += bytes.readableBytes
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        let report = ByteBuffer(string: "\(self.count) \(self.isRight ? "right" : "wrong")")
        context.writeAndFlush(self.wrapOutboundOut(report), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class SummingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let sum: NIOLockedValueBox<Int>

    init(_ sum: NIOLockedValueBox<Int>) { self.sum = sum }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let count = self.unwrapInboundIn(data).readableBytes
        self.sum.withLockedValue { $0 += count }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
    }
}

private final class SendingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let count: Int
    private var sent = 0

    init(count: Int) { self.count = count }

    func channelActive(context: ChannelHandlerContext) { self.send(context) }
    func channelWritabilityChanged(context: ChannelHandlerContext) { self.send(context) }

    private func send(_ context: ChannelHandlerContext) {
        // In turns, since a target that sends all at once must not keep the event loop from the others on it.
        var inThisTurn = 0
        while context.channel.isActive, context.channel.isWritable, self.sent < self.count {
            guard inThisTurn < 256 << 10 else {
                return context.eventLoop.assumeIsolated().execute { self.send(context) }
            }
            let size = min(32 << 10, self.count - self.sent)
            let piece = Pattern.bytes(from: self.sent, count: size)
            self.sent += size
            inThisTurn += size
            context.writeAndFlush(self.wrapOutboundOut(piece), promise: nil)
            if self.sent == self.count { context.close(mode: .output, promise: nil) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

private final class ResetHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }
}
