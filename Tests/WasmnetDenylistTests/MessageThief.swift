import NIOConcurrencyHelpers
import NIOCore
import NIOPosix

/// A proxy before Redis that passes everything on, except, while it steals, what is published; or that passes nothing on.
final class MessageThief: Sendable {
    enum Mode: Sendable {
        case honest, stealing, silent
    }

    let port: Int
    private let channel: any Channel
    private let shared: Shared

    fileprivate final class Shared: Sendable {
        let mode = NIOLockedValueBox(Mode.honest)
        let stolen = NIOLockedValueBox(0)
        let open = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])
    }

    private init(channel: any Channel, shared: Shared) {
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
        self.shared = shared
    }

    /// Messages that did not arrive.
    var stolen: Int { self.shared.stolen.withLockedValue { $0 } }

    func set(_ mode: Mode) { self.shared.mode.withLockedValue { $0 = mode } }

    static func with(port: Int, _ body: (MessageThief) async throws -> Void) async throws {
        let shared = Shared()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                shared.open.withLockedValue { $0[ObjectIdentifier(client)] = client }
                return ClientBootstrap(group: client.eventLoop)
                    .channelInitializer { server in
                        server.eventLoop.makeCompletedFuture {
                            try server.pipeline.syncOperations.addHandler(Hand(to: client, of: shared))
                        }
                    }
                    .connect(host: "127.0.0.1", port: port)
                    .flatMapThrowing { server in
                        try client.pipeline.syncOperations.addHandler(Hand(to: server, of: nil))
                    }
                    .map { client.setOption(.autoRead, value: true).whenComplete { _ in } }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let thief = MessageThief(channel: channel, shared: shared)
        do {
            try await body(thief)
        } catch {
            await thief.stop()
            throw error
        }
        await thief.stop()
    }

    private func stop() async {
        try? await self.channel.close()
        for channel in self.shared.open.withLockedValue({ Array($0.values) }) { channel.close(promise: nil) }
    }

    /// Hands what one side says to the other.
    private final class Hand: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let other: any Channel
        private let shared: Shared?

        init(to other: any Channel, of shared: Shared?) {
            self.other = other
            self.shared = shared
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data)
            switch self.shared?.mode.withLockedValue({ $0 }) {
            case .silent: return
            case .stealing:
                // Redis writes a message at once, so it begins a read.
                guard !String(buffer: bytes).hasPrefix("*3\r\n$7\r\nmessage\r\n") else {
                    self.shared?.stolen.withLockedValue { $0 += 1 }
                    return
                }
            case .honest, nil: break
            }
            self.other.writeAndFlush(bytes, promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) { self.other.close(promise: nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
