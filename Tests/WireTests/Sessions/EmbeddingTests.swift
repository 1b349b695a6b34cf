import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetTesting

/// Sessions on an HTTP server that is not the node's own.
@Suite struct EmbeddingTests {
    private func server(_ rules: Policy = .unrestricted) throws -> Server {
        var configuration = ServerConfiguration()
        configuration.policy = rules
        return try Server(configuration: configuration)
    }

    /// An HTTP server of an embedder, which upgrades with the result of `makeUpgrader`.
    private func listen(
        _ makeUpgrader: @escaping @Sendable () -> any HTTPServerProtocolUpgrader & Sendable
    ) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.pipeline.configureHTTPServerPipeline(
                    withServerUpgrade: (upgraders: [makeUpgrader()], completionHandler: { _ in }))
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private func converse(_ client: TestClient, meanwhile: () -> Void = {}) async throws {
        let target = try await TestTarget.start(.echo)
        if client.version == .v2 { _ = try await client.next() }  // hello
        try await client.connect(1, port: target.port)
        #expect(try await client.echoes(1, "through a stranger's server"))
        meanwhile()
        await client.close()
        await target.stop()
    }

    @Test(arguments: [WireVersion.v1, .v2]) func aWebSocketThatNIOUpgradedCarriesASession(version: WireVersion)
        async throws
    {
        let server = try self.server()
        let listener = try await self.listen {
            NIOWebSocketServerUpgrader(
                shouldUpgrade: { channel, request in
                    var headers = HTTPHeaders()
                    if let name = server.subprotocol(for: request) {
                        headers.add(name: "Sec-WebSocket-Protocol", value: name)
                    }
                    return channel.eventLoop.makeSucceededFuture(headers)
                },
                upgradePipelineHandler: { channel, request in server.startSession(on: channel, request: request) })
        }
        let client = try await TestClient.connect(port: listener.localAddress?.port ?? 0, version: version)
        try await self.converse(client) { #expect(server.sessionCount == 1) }
        try await listener.close()
    }

    @Test func whoIsNotAdmittedIsClosedWithTheCodesWord() async throws {
        let server = try self.server(try policy("[network]\nallow = [\"*\"]\n[limits]\nmax_sessions = 1"))
        let listener = try await self.listen {
            NIOWebSocketServerUpgrader(
                shouldUpgrade: { channel, request in
                    channel.eventLoop.makeSucceededFuture([
                        "Sec-WebSocket-Protocol": server.subprotocol(for: request) ?? ""
                    ])
                },
                upgradePipelineHandler: { channel, request in server.startSession(on: channel, request: request) })
        }
        let port = listener.localAddress?.port ?? 0
        let first = try await TestClient.connect(port: port)
        let second = try await TestClient.connect(port: port)
        #expect(try await second.next() == .close(code: 1013, reason: "max_sessions"))
        await first.close()
        try await listener.close()
    }
}
