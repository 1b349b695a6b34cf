import NIOCore
import NIOSSL
import Testing
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting
import WasmnetQuota

extension PeersTests {
    /// The result of a handshake, and how it fails.
    @Suite struct TLSHandshakeTests {
        private func echoAndFinish(_ id: SocketID, _ client: TestClient, _ node: TestNode) async throws {
            let text = ByteBuffer(string: "over TLS")
            client.send(.send(id, text))
            #expect(try await client.read(id) { $0.readableBytes >= text.readableBytes }.bytes == text)
            #expect(try await client.finish(id) == .clientClosed)
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }

        @Test(arguments: [TLSVersion.tlsv12, .tlsv13])
        func aServerOfOneVersionIsSpokenTo(version: TLSVersion) async throws {
            let target = try TLSPeer.behaviour(
                configure: {
                    $0.minimumTLSVersion = version
                    $0.maximumTLSVersion = version
                }, handler: { EchoPeer() })
            try await PeersTests.withClient(target: target) { node, target, client in
                try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                try await self.echoAndFinish(1, client, node)
            }
        }

        @Test(arguments: [TLSVersion.tlsv1, .tlsv11])
        func aServerOfAnOldVersionIsRefused(version: TLSVersion) async throws {
            let target = try TLSPeer.behaviour(
                configure: {
                    $0.minimumTLSVersion = version
                    $0.maximumTLSVersion = version
                }, handler: { EchoPeer() })
            try await PeersTests.withClient(target: target) { _, target, client in
                let refusal = try await client.refusal(
                    of: .connectTLS(1, host: "localhost", port: UInt16(target.port)))
                #expect(refusal.code == .tlsFailed)
                #expect(refusal.message.contains("handshake failed"), "\(refusal.message)")
            }
        }

        @Test(
            arguments: [
                (["h2", "http/1.1"], ["http/1.1"], "http/1.1"), (["http/1.1", "h2"], ["h2", "http/1.1"], "h2"),
                (["h2"], [], nil), ([], ["http/1.1"], nil),
            ] as [([String], [String], String?)])
        func theProtocolIsTheServersChoiceOfTheOffered(
            offered: [String], spoken: [String], agreed: String?
        ) async throws {
            let target = try TLSPeer.behaviour(
                configure: { $0.applicationProtocols = spoken }, handler: { EchoPeer() })
            var settings = RelaySettings()
            settings.tlsApplicationProtocols = offered
            try await PeersTests.withClient(target: target, settings: settings) { node, target, client in
                let alpn = try await client.open(.connectTLS(1, host: "localhost", port: UInt16(target.port)))
                #expect(alpn == agreed)
                try await self.echoAndFinish(1, client, node)
            }
        }

        @Test func aTargetThatNeverAnswersIsGivenUp() async throws {
            var settings = RelaySettings()
            settings.tlsHandshakeTimeout = .milliseconds(100)
            try await PeersTests.withClient(target: .deaf, settings: settings) { node, target, client in
                let refusal = try await client.refusal(
                    of: .connectTLS(1, host: "127.0.0.1", port: UInt16(target.port)))
                #expect(refusal.code == .tlsFailed)
                #expect(refusal.message.contains("in time"), "\(refusal.message)")
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        @Test func theDialsOwnTimeIncludesTheHandshake() async throws {
            var rules = Policy.Rules()
            rules.allow = [try PolicyEntry("127.0.0.1")]
            rules.limits.connectionTimeoutSeconds = 0.1
            try await PeersTests.withClient(policy: Policy(rules), target: .deaf) { node, target, client in
                let refusal = try await client.refusal(
                    of: .connectTLS(1, host: "127.0.0.1", port: UInt16(target.port)))
                #expect(refusal.code == .connectTimeout)
                #expect(refusal.message.contains("did not answer in time"), "\(refusal.message)")
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        /// The data of a target without TLS.
        @Test(arguments: ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{0}", "\u{15}\u{3}\u{1}"])
        func aTargetThatSpeaksPlainTextIsRefused(words: String) async throws {
            try await PeersTests.withClient(
                target: .custom { try $0.pipeline.syncOperations.addHandler(Greeter(words)) }
            ) { node, target, client in
                let refusal = try await client.refusal(
                    of: .connectTLS(1, host: "127.0.0.1", port: UInt16(target.port)))
                #expect(refusal.code == .tlsFailed)
                #expect(try await node.settles(sockets: 0, sessions: 1))
                try await client.open(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
            }
        }

        @Test func aTargetThatResetsInTheHandshakeIsRefused() async throws {
            try await PeersTests.withClient(target: .reset) { node, target, client in
                let refusal = try await client.refusal(
                    of: .connectTLS(1, host: "127.0.0.1", port: UInt16(target.port)))
                #expect(refusal.code == .tlsFailed)
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }
    }
}

/// Sends data at once, and ends.
private final class Greeter: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let words: String

    init(_ words: String) { self.words = words }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.words)), promise: nil)
        context.close(mode: .output, promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
