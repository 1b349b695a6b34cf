import NIOConcurrencyHelpers
import NIOCore
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

@Suite struct LifetimeTests {
    private final class Weak {
        weak var environment: RelayEnvironment?
    }

    /// Reads its input, and sends without end, even when no more input will arrive.
    private final class Flood: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let received: NIOLockedValueBox<Int>
        private let part = ByteBuffer(repeating: 7, count: 1 << 16)

        init(_ received: NIOLockedValueBox<Int>) { self.received = received }

        func channelActive(context: ChannelHandlerContext) { self.send(context) }
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let count = self.unwrapInboundIn(data).readableBytes
            self.received.withLockedValue { $0 += count }
        }

        private func send(_ context: ChannelHandlerContext) {
            let loop = context.eventLoop.assumeIsolated()
            context.writeAndFlush(self.wrapOutboundOut(self.part)).assumeIsolated().whenSuccess {
                // Input is read between two parts.
                loop.execute { self.send(context) }
            }
        }
    }

    /// Its socket is closed, and it continues to send: it has all the client's data, and is reset long before the linger time is over.
    @Test(.timeLimit(.minutes(1)), arguments: WireVersion.allCases)
    func aTargetThatSendsWithoutEndIsResetWhenItsSocketIsClosed(version: WireVersion) async throws {
        let received = NIOLockedValueBox(0)
        let ended = NIOLockedValueBox<[EventLoopFuture<Void>]>([])
        let flood = TestTarget.Behaviour.custom { channel in
            ended.withLockedValue { $0.append(channel.closeFuture) }
            try channel.pipeline.syncOperations.addHandler(Flood(received))
        }
        try await TestNode.withClient(version: version, target: flood, configure: { $0.settings.linger = .hours(1) }) {
            _, target, client in
            client.send(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
            try await client.expect(.connected(1))
            for _ in 0..<16 { client.send(.send(1, ByteBuffer(repeating: 1, count: 1000))) }
            client.send(.close(1))
            // The node can be connected before the target knows.
            while ended.withLockedValue({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(1)) }
            for end in ended.withLockedValue({ $0 }) { try await end.get() }
            #expect(received.withLockedValue { $0 } == 16_000)
        }
    }

    /// An embedder may start and stop as many servers as it likes.
    @Test(arguments: [0, 1, 2]) func aStoppedServerIsFreed(sockets: Int) async throws {
        let weak = Weak()
        try await TestNode.withClient { node, target, client in
            weak.environment = node.server.environment
            for id in 0..<sockets {
                client.send(.connect(SocketID(id + 1), host: "127.0.0.1", port: UInt16(target.port)))
                try await client.expect(.connected())
            }
        }
        for _ in 0..<500 where weak.environment != nil { try await Task.sleep(for: .milliseconds(10)) }
        #expect(weak.environment == nil)
    }
}
