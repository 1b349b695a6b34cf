package import NIOCore
import NIOPosix

/// A TCP connection that sends bytes unchanged and keeps what it receives.
package final class RawClient: Sendable {
    package let channel: any Channel
    private let inbox: NIOLoopBound<RawInbox>

    private init(_ channel: any Channel, _ inbox: NIOLoopBound<RawInbox>) {
        self.channel = channel
        self.inbox = inbox
    }

    /// - Parameters:
    ///   - source: its source address.
    ///   - reads: false: reads nothing until ``setReading(_:)``.
    package static func connect(
        port: Int, from source: String = "127.0.0.1", reads: Bool = true, receiveBuffer: Int? = nil
    ) async throws -> RawClient {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        var bootstrap = ClientBootstrap(group: eventLoop)
            .bind(to: try SocketAddress(ipAddress: source, port: 0))
            .channelOption(.autoRead, value: reads)
            .channelOption(.allowRemoteHalfClosure, value: true)
        if let receiveBuffer {
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: .init(receiveBuffer))
        }
        return try await bootstrap.connect(host: "127.0.0.1", port: port) { channel in
            channel.eventLoop.makeCompletedFuture {
                let inbox = RawInbox(channel.eventLoop)
                try channel.pipeline.syncOperations.addHandler(inbox)
                return RawClient(channel, NIOLoopBound(inbox, eventLoop: channel.eventLoop))
            }
        }
    }

    package func send(_ text: String) async throws { try await self.send(ByteBuffer(string: text)) }
    package func send(_ bytes: ByteBuffer) async throws { try await self.channel.writeAndFlush(bytes) }
    package func setReading(_ reading: Bool) async throws {
        try await self.channel.setOption(.autoRead, value: reading).get()
    }
    package func close() async { try? await self.channel.close() }

    /// Everything received once it is enough, or once nothing more arrives; fails after `timeout`.
    package func bytes(
        timeout: TimeAmount = .seconds(20), until isEnough: @escaping @Sendable (ByteBuffer) -> Bool = { _ in false }
    ) async throws -> ByteBuffer {
        let inbox = self.inbox
        return try await self.channel.eventLoop.flatSubmit { inbox.value.wait(isEnough, timeout) }.get()
    }

    /// All text up to the other side's end.
    package func text(timeout: TimeAmount = .seconds(20)) async throws -> String {
        String(buffer: try await self.bytes(timeout: timeout))
    }

    /// The status of an HTTP answer; nil if the connection ended without one.
    package func status() async throws -> Int? {
        let text = String(buffer: try await self.bytes { String(buffer: $0).contains("\r\n\r\n") })
        let words = text.split(separator: " ")
        return words.count > 1 ? Int(words[1]) : nil
    }

    /// Whether it was reset.
    package func wasReset() async throws -> Bool {
        let inbox = self.inbox
        return try await self.channel.eventLoop.submit { inbox.value.error != nil }.get()
    }
}

private final class RawInbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let eventLoop: any EventLoop
    private var received = ByteBuffer()
    private var isOver = false
    private(set) var error: (any Error)?
    private var waiter: (isEnough: (ByteBuffer) -> Bool, promise: EventLoopPromise<ByteBuffer>)?

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func wait(
        _ isEnough: @escaping (ByteBuffer) -> Bool, _ timeout: TimeAmount
    ) -> EventLoopFuture<ByteBuffer> {
        let promise = self.eventLoop.makePromise(of: ByteBuffer.self)
        self.waiter = (isEnough, promise)
        let timer = self.eventLoop.scheduleTask(in: timeout) { promise.fail(ChannelError.connectTimeout(timeout)) }
        promise.futureResult.whenComplete { _ in timer.cancel() }
        self.look()
        return promise.futureResult
    }

    private func look() {
        guard let waiter, self.isOver || waiter.isEnough(self.received) else { return }
        self.waiter = nil
        waiter.promise.succeed(self.received)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.received.writeImmutableBuffer(self.unwrapInboundIn(data))
        self.look()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { self.end() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.error = error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { self.end() }

    private func end() {
        self.isOver = true
        self.look()
    }
}
