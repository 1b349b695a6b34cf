import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import WasmnetTesting

/// A UDP socket of a test.
final class TestDatagrams: Sendable {
    let port: Int
    private let channel: any Channel
    private let received: AsyncStream<ByteBuffer>

    private init(_ channel: any Channel, _ received: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
        self.received = received
    }

    static func start() async throws -> TestDatagrams {
        let (received, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        let channel = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.so_rcvbuf), value: 4 << 20)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 65_536))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Inbox(continuation))
                }
            }
            .bindFreePort()
        return TestDatagrams(channel, received)
    }

    func next() async throws -> ByteBuffer {
        for await datagram in self.received { return datagram }
        throw ChannelError.eof
    }

    func send(_ text: String, to port: Int) async throws {
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
        try await self.channel.writeAndFlush(
            AddressedEnvelope(remoteAddress: address, data: ByteBuffer(string: text)))
    }

    static func send(_ text: String, to port: Int) async throws {
        let socket = try await TestDatagrams.start()
        try await socket.send(text, to: port)
        await socket.stop()
    }

    func stop() async { try? await self.channel.close() }

    private final class Inbox: ChannelInboundHandler {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        private let received: AsyncStream<ByteBuffer>.Continuation

        init(_ received: AsyncStream<ByteBuffer>.Continuation) { self.received = received }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.received.yield(self.unwrapInboundIn(data).data)
        }

        func channelInactive(context: ChannelHandlerContext) { self.received.finish() }
    }
}
