import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing
import Wasmnet
import WasmnetRelay
import WasmnetTesting

/// Clients behind proxies, against the real server.
@Suite struct ProxyWireTests {
    private static let trusting = "clients.trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n"
    private static let v1 = Array("PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n".utf8)

    @Test func headersOfATrustedProxyNameTheClient() async throws {
        try await TokenNode.run(Self.trusting) { node async throws in
            #expect(try await node.name() == "a:127.0.0.1")
            #expect(
                try await node.name(headers: ["X-Forwarded-For": "1.1.1.1, 203.0.113.9, 10.0.0.2"]) == "a:203.0.113.9")
            #expect(
                try await node.name(headers: ["Forwarded": "for=\"[2001:db8:1:2:3::9]:80\""]) == "a:2001:db8:1:2::/64")
            #expect(try await node.name(headers: ["X-Forwarded-For": "::ffff:203.0.113.9"]) == "a:203.0.113.9")
            let refusal = try await node.refusal(
                headers: ["X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.8"])
            #expect(refusal?.status == 400)
            let counters = node.node.server.admissionCounters
            #expect(counters.total(.badForwarding) == 1)
            #expect(counters.total(.untrustedForwarding) == 0)
        }
    }

    @Test func headersOfAnybodyElseAreIgnoredAndCounted() async throws {
        try await TokenNode.run("clients.trusted_proxies = [\"10.0.0.0/8\"]\n") { node async throws in
            let forged = ["127.0.0.1", "10.0.0.1", "203.0.113.9", "\"garbage"]
            for value in forged {
                #expect(try await node.name(headers: ["X-Forwarded-For": value]) == "a:127.0.0.1")
                #expect(try await node.name(headers: ["Forwarded": "for=\(value)"]) == "a:127.0.0.1")
            }
            #expect(node.node.server.admissionCounters.total(.untrustedForwarding) == UInt64(2 * forged.count))
        }
    }

    @Test(arguments: [ProxyProtocolMode.optional, .required])
    func aProxyHeaderNamesTheClient(mode: ProxyProtocolMode) async throws {
        try await TokenNode.run(Self.trusting, configure: { $0.proxyProtocol = mode }) { node async throws in
            #expect(try await node.name(preface: Self.v1) == "a:203.0.113.7")
            #expect(
                try await node.name(preface: ProxyBytes.v2(0x21, 0x21, ProxyBytes.v6 + ProxyBytes.tlv))
                    == "a:2001:db8::/64")
            #expect(try await node.name(preface: ProxyBytes.v2(0x20, 0, [])) == "a:127.0.0.1")
            // The client in the header is the peer from then on: an untrusted one's headers are ignored, a proxy's are not.
            let forwarded: HTTPHeaders = ["X-Forwarded-For": "198.51.100.1"]
            #expect(try await node.name(headers: forwarded, preface: Self.v1) == "a:203.0.113.7")
            #expect(node.node.server.admissionCounters.total(.untrustedForwarding) == 1)
            let inner = Array("PROXY TCP4 10.0.0.9 192.0.2.1 56324 443\r\n".utf8)
            #expect(try await node.name(headers: forwarded, preface: inner) == "a:198.51.100.1")
        }
    }

    @Test func withoutAHeaderOptionalServesAndRequiredDoesNot() async throws {
        try await TokenNode.run(Self.trusting, configure: { $0.proxyProtocol = .optional }) { node async throws in
            #expect(try await node.name() == "a:127.0.0.1")
        }
        try await TokenNode.run(Self.trusting, configure: { $0.proxyProtocol = .required }) { node async throws in
            await #expect(throws: (any Error).self) { try await node.session() }
            #expect(node.node.server.admissionCounters.total(.badProxyHeader) == 1)
        }
    }

    @Test func aHeaderOfAnybodyElseIsNotBelieved() async throws {
        let policy = "clients.trusted_proxies = [\"10.0.0.0/8\"]\n"
        try await TokenNode.run(policy, configure: { $0.proxyProtocol = .optional }) { node async throws in
            #expect(try await node.name(preface: Self.v1) == "a:127.0.0.1")
            #expect(node.node.server.admissionCounters.total(.untrustedProxyHeader) == 1)
        }
        try await TokenNode.run(policy, configure: { $0.proxyProtocol = .required }) { node async throws in
            await #expect(throws: (any Error).self) { try await node.session(preface: Self.v1) }
            #expect(node.node.server.admissionCounters.total(.untrustedProxyHeader) == 1)
        }
    }

    @Test func offMeansAHeaderIsABadRequest() async throws {
        try await TokenNode.run(Self.trusting) { node async throws in
            await #expect(throws: (any Error).self) { try await node.session(preface: Self.v1) }
            #expect(try await node.name() == "a:127.0.0.1")
        }
    }

    /// Header and request, a byte a segment, and in every two parts.
    @Test func aHeaderMayComeInAnyPieces() async throws {
        try await TokenNode.run(Self.trusting, configure: { $0.proxyProtocol = .required }) { node async throws in
            for preface in [Self.v1, ProxyBytes.v2(0x21, 0x11, ProxyBytes.v4 + ProxyBytes.tlv)] {
                let bytes = preface + Array("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
                for cut in stride(from: 1, to: preface.count + 3, by: 1) {
                    let answer = try await Self.answer(
                        port: node.node.port, [Array(bytes[..<cut]), Array(bytes[cut...])])
                    #expect(answer.hasPrefix("HTTP/1.1 200"), "cut at \(cut)")
                }
                let answer = try await Self.answer(port: node.node.port, bytes.map { [$0] })
                #expect(answer.hasPrefix("HTTP/1.1 200"))
            }
        }
    }

    /// Sends the parts as separate segments, and reads the whole answer.
    private static func answer(port: Int, _ parts: [[UInt8]]) async throws -> String {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let promise = eventLoop.makePromise(of: String.self)
        let channel = try await ClientBootstrap(group: eventLoop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(WholeAnswer(promise))
                }
            }
            .connect(host: "127.0.0.1", port: port)
            .flatMapErrorThrowing { error in
                promise.fail(error)
                throw error
            }.get()
        // On the event loop, so that a busy machine does not stretch the pauses beyond the node's wait for a request.
        try await parts.reduce(eventLoop.makeSucceededVoidFuture()) { sent, part in
            sent.flatMap { channel.writeAndFlush(ByteBuffer(bytes: part)) }
        }.get()
        return try await promise.futureResult.get()
    }

    private final class WholeAnswer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let promise: EventLoopPromise<String>
        private var text = ""

        init(_ promise: EventLoopPromise<String>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.text += String(buffer: self.unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) { self.promise.succeed(self.text) }
    }
}
