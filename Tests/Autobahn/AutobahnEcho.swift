import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import WasmnetRelay
import WasmnetTesting

/// The node's own WebSocket with an echo instead of a session, on 127.0.0.1 and the port in the first argument: the server for the
/// Autobahn test suite's fuzzing client. Messages of up to 32 MiB.
@main
enum AutobahnEcho {
    static func main() async throws {
        guard let port = CommandLine.arguments.dropFirst().first.flatMap({ Int($0) }) else { return }
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                let upgrader = NIOWebSocketServerUpgrader(
                    shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
                    upgradePipelineHandler: { channel, _ in
                        channel.eventLoop.makeCompletedFuture {
                            var settings = RelaySettings()
                            settings.maxMessageBytes = 32 << 20
                            // Closer to the network than NIO's frame handlers, which then receive nothing.
                            let encoder = try channel.pipeline.syncOperations.handler(type: WebSocketFrameEncoder.self)
                            try WebSocketHandler.install(
                                on: channel, position: .before(encoder), settings: settings, clock: SystemClock()
                            ) { carrier, _ in EchoSession(carrier) }
                        }
                    })
                return channel.pipeline.configureHTTPServerPipeline(
                    withServerUpgrade: (upgraders: [upgrader], completionHandler: { _ in }))
            }
            .bind(host: "127.0.0.1", port: port).get()
        try await listener.closeFuture.get()
    }
}
