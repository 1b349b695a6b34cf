import NIOCore
import NIOPosix
import NIOSSL
import Testing
import Wasmnet
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

extension PeersTests {
    /// A node that serves `wss://`.
    @Suite struct WSSTests {
        private func withNode(
            settings: RelaySettings = RelaySettings(), _ body: (TestNode, NIOSSLContext) async throws -> Void
        ) async throws {
            let certificates = try TestCertificates.current
            let context = try NIOSSLContext(configuration: certificates.client())
            let node = try await TestNode.start {
                $0.tls = certificates.files(.good)
                $0.settings = settings
            }
            do {
                try await body(node, context)
                await node.stop()
            } catch {
                await node.stop()
                throw error
            }
        }

        private func echo(
            _ size: Int, _ node: TestNode, _ context: NIOSSLContext, version: WireVersion = .v2
        ) async throws {
            let target = try await TestTarget.start(.echo)
            let client = try await TestClient.connect(port: node.port, version: version, tls: context)
            if version == .v2 { try await client.expect(.hello) }
            try await client.open(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
            client.send(.send(1, Pattern.bytes(from: 0, count: size)))
            let (bytes, _) = try await client.read(1) { $0.readableBytes >= size }
            #expect(bytes.readableBytes == size)
            #expect(Pattern.matches(bytes, from: 0))
            #expect(try await client.finish(1) == (version == .v2 ? .clientClosed : .normal))
            await client.close()
            await target.stop()
            #expect(try await node.settles(sockets: 0, sessions: 0))
        }

        @Test(arguments: [WireVersion.v1, .v2])
        func aSessionWorksInTLS(version: WireVersion) async throws {
            try await self.withNode { node, context in
                try await self.echo(200_000, node, context, version: version)
            }
        }

        @Test func aProxyHeaderStandsBeforeTLS() async throws {
            let certificates = try TestCertificates.current
            let context = try NIOSSLContext(configuration: certificates.client())
            var rules = Policy.Rules()
            rules.clients.trustedProxies = [try #require(Prefix(IPAddress(v4: (127, 0, 0, 0)), length: 8))]
            let node = try await TestNode.start(policy: Policy(rules)) {
                $0.tls = certificates.files(.good)
                $0.proxyProtocol = .required
            }
            let header = Array("PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n".utf8)
            let client = try await TestClient.connect(port: node.port, tls: context, preface: header)
            try await client.expect(.hello)
            await client.close()
            await #expect(throws: (any Error).self) { try await TestClient.connect(port: node.port, tls: context) }
            await node.stop()
        }

        @Test func aClientThatSpeaksNoTLSEndsWithoutHarm() async throws {
            var settings = RelaySettings()
            settings.upgradeTimeout = .milliseconds(500)
            try await self.withNode(settings: settings) { node, context in
                for words in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\u{0}", String(repeating: "x", count: 70_000)] {
                    let ended = try await PlainClient.connect(port: node.port, saying: words)
                    let answer = try await ended.get()
                    #expect(!String(buffer: answer).contains("HTTP/1"))
                }
                // TLS, and then no data.
                let silent = try await PlainClient.connect(port: node.port, saying: "", tls: context)
                _ = try await silent.get()
                try await self.echo(1000, node, context)
            }
        }

        @Test func aClientOfAnOldVersionIsRefused() async throws {
            try await self.withNode { node, context in
                var old = try TestCertificates.current.client()
                old.minimumTLSVersion = .tlsv1
                old.maximumTLSVersion = .tlsv11
                let oldContext = try NIOSSLContext(configuration: old)
                await #expect(throws: (any Error).self) {
                    try await TestClient.connect(port: node.port, tls: oldContext)
                }
                try await self.echo(1000, node, context)
            }
        }

        @Test(.enabled(if: PeerProcess.isInstalled("curl")))
        func curlIsShownThePageOverTLSAndNotWithoutTheAuthority() async throws {
            let authority = try TestCertificates.current.authority
            try await self.withNode { node, _ in
                let page = "https://127.0.0.1:\(node.port)/"
                let text = try await PeerProcess.run("curl", ["-sS", "--noproxy", "*", "--cacert", authority, page])
                #expect(text.contains("This is wasmnet"))
                try await PeerProcess.with("curl", ["-sS", "--noproxy", "*", page]) { curl in
                    let complaint = try await curl.wholeOutput()
                    #expect(complaint.contains("certificate"))
                    #expect(await curl.exitStatus() == 60)
                }
            }
        }
    }
}

/// Sends data in TCP or TLS that is not a WebSocket, and collects the answer until the end.
private final class PlainClient: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private var bytes = ByteBuffer()
    private let answer: EventLoopPromise<ByteBuffer>

    private init(_ answer: EventLoopPromise<ByteBuffer>) { self.answer = answer }

    /// The future fails when the other side has not ended the connection after ten seconds.
    static func connect(port: Int, saying words: String, tls: NIOSSLContext? = nil) async throws -> EventLoopFuture<
        ByteBuffer
    > {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let answer = eventLoop.makePromise(of: ByteBuffer.self)
        eventLoop.scheduleTask(in: .seconds(10)) { answer.fail(ChannelError.connectTimeout(.seconds(10))) }
        let channel = try await ClientBootstrap(group: eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        let handler = try NIOSSLClientHandler(context: tls, serverHostname: nil)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                    try channel.pipeline.syncOperations.addHandler(PlainClient(answer))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        channel.writeAndFlush(ByteBuffer(string: words), promise: nil)
        answer.futureResult.whenComplete { _ in channel.close(promise: nil) }
        return answer.futureResult
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.bytes.writeImmutableBuffer(self.unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) { self.answer.succeed(self.bytes) }

    // A reset is an end too.
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
