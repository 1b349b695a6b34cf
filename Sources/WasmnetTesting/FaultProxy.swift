import NIOConcurrencyHelpers
package import NIOCore
import NIOPosix

/// A proxy in front of Redis that behaves like networks: slow, in pieces, or gone.
package final class FaultProxy: Sendable {
    package enum Fault: Sendable {
        case none
        /// Replies arrive this much later.
        case delay(TimeAmount)
        /// Replies arrive a byte at a time.
        case split
        /// Replies do not arrive.
        case silence
        /// Published messages do not arrive; everything else does.
        case theft
    }

    package let port: Int
    private let channel: any Channel
    private let shared: Shared

    fileprivate final class Shared: Sendable {
        let fault = NIOLockedValueBox(Fault.none)
        let open = NIOLockedValueBox<[ObjectIdentifier: any Channel]>([:])
        let stolen = NIOLockedValueBox(0)
    }

    /// Messages that did not arrive.
    package var stolen: Int { self.shared.stolen.withLockedValue { $0 } }

    private init(channel: any Channel, shared: Shared) {
        self.channel = channel
        self.port = channel.localAddress?.port ?? 0
        self.shared = shared
    }

    package static func start(to port: Int) async throws -> FaultProxy {
        let shared = Shared()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { client in
                shared.open.withLockedValue { $0[ObjectIdentifier(client)] = client }
                return ClientBootstrap(group: client.eventLoop)
                    .channelInitializer { server in
                        server.eventLoop.makeCompletedFuture {
                            try server.pipeline.syncOperations.addHandler(Replies(to: client, shared))
                        }
                    }
                    .connect(host: "127.0.0.1", port: port)
                    .flatMapThrowing { server in
                        try client.pipeline.syncOperations.addHandler(Requests(to: server, shared))
                    }
                    .map { client.setOption(.autoRead, value: true).whenComplete { _ in } }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FaultProxy(channel: channel, shared: shared)
    }

    /// Runs a body with a proxy, and ends it.
    package static func with(port: Int, _ body: (FaultProxy) async throws -> Void) async throws {
        let proxy = try await self.start(to: port)
        do {
            try await body(proxy)
        } catch {
            await proxy.stop()
            throw error
        }
        await proxy.stop()
    }

    package func set(_ fault: Fault) { self.shared.fault.withLockedValue { $0 = fault } }

    /// Ends all connections, even in the middle of data.
    package func cut() {
        for channel in self.shared.open.withLockedValue({ Array($0.values) }) { channel.close(promise: nil) }
    }

    package func stop() async {
        try? await self.channel.close()
        self.cut()
    }

    private final class Requests: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let server: any Channel
        private let shared: Shared

        init(to server: any Channel, _ shared: Shared) {
            self.server = server
            self.shared = shared
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.server.writeAndFlush(self.unwrapInboundIn(data), promise: nil)
        }

        func channelInactive(context: ChannelHandlerContext) {
            self.shared.open.withLockedValue { $0[ObjectIdentifier(context.channel)] = nil }
            self.server.close(promise: nil)
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private final class Replies: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let client: any Channel
        private let shared: Shared
        /// Replies stay in order even if the fault has changed.
        private var last = NIODeadline.uptimeNanoseconds(0)

        init(to client: any Channel, _ shared: Shared) {
            self.client = client
            self.shared = shared
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = self.unwrapInboundIn(data)
            switch self.shared.fault.withLockedValue({ $0 }) {
            case .none: self.send(bytes, at: .now())
            case .delay(let time): self.send(bytes, at: .now() + time)
            case .silence: break
            case .theft:
                // Redis writes a message at once, so it begins a read.
                if String(buffer: bytes).hasPrefix("*3\r\n$7\r\nmessage\r\n") {
                    self.shared.stolen.withLockedValue { $0 += 1 }
                } else {
                    self.send(bytes, at: .now())
                }
            case .split:
                var at = NIODeadline.now()
                for byte in bytes.readableBytesView {
                    self.send(ByteBuffer(bytes: [byte]), at: at)
                    at = at + .microseconds(50)
                }
            }
        }

        private func send(_ bytes: ByteBuffer, at time: NIODeadline) {
            self.last = max(self.last, time)
            self.client.eventLoop.scheduleTask(deadline: self.last) { [client] in
                client.writeAndFlush(bytes, promise: nil)
            }
        }

        func channelInactive(context: ChannelHandlerContext) { self.client.close(promise: nil) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}
