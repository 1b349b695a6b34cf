import Foundation
import NIOCore
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetTesting

extension PeersTests {
    /// The certificates that `connect_tls` trusts, and its errors for others.
    @Suite struct TLSTrustTests {
        @Test(arguments: [WireVersion.v1, .v2], ["localhost", "127.0.0.1"])
        func aPageOfOpenSSLsServerComesWhole(version: WireVersion, host: String) async throws {
            let certificates = try TestCertificates.current
            let files = certificates.files(.good)
            let page = Pattern.bytes(from: 0, count: 300_000)
            try await TemporaryDirectory.with { directory in
                try Data(page.readableBytesView).write(to: directory.appending(path: "page.bin"))
                let arguments = [
                    "s_server", "-accept", "127.0.0.1:0", "-cert", files.certificate, "-key", files.key, "-WWW",
                ]
                try await PeerProcess.with("openssl", arguments, in: directory.path) { server in
                    let words = try await server.output(until: "ACCEPT 127.0.0.1:")
                    let port = try #require(LoopbackPort.last(in: words))
                    try await PeersTests.withClient(version: version) { node, _, client in
                        try await client.open(.connectTLS(1, host: host, port: port))
                        client.send(.send(1, ByteBuffer(string: "GET /page.bin HTTP/1.0\r\n\r\n")))
                        let (bytes, last) = try await client.read(1)
                        let answer = try #require(HTTPAnswer(bytes))
                        #expect(answer.status == "HTTP/1.0 200 ok")
                        #expect(answer.body == page)
                        switch (version, last) {
                        case (.v2, .end(1)): #expect(try await client.finish(1) == .clientClosed)
                        case (.v1, .closed(1, _, _)): break
                        default: Issue.record("unexpected \(String(describing: last))")
                        }
                        #expect(try await node.settles(sockets: 0, sessions: 1))
                    }
                }
            }
        }

        /// Each untrusted certificate, and the words that distinguish its error.
        @Test(arguments: [
            (TestCertificates.Kind.wrongName, "not for this name"), (.expired, "expired"), (.stranger, "not trusted"),
        ])
        func aWrongCertificateIsRefusedAndSaysWhy(kind: TestCertificates.Kind, words: String) async throws {
            let target = try TLSPeer.behaviour(kind) { EchoPeer() }
            try await PeersTests.withClient(target: target) { node, target, client in
                for host in ["localhost", "127.0.0.1"] {
                    let refusal = try await client.refusal(
                        of: .connectTLS(1, host: host, port: UInt16(target.port)))
                    #expect(refusal.code == .tlsFailed)
                    #expect(refusal.message.contains(words), "\(refusal.message)")
                    #expect(refusal.message.contains(host), "\(refusal.message)")
                }
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }

        @Test func withoutTheAuthorityTheGoodCertificateIsRefused() async throws {
            let target = try TLSPeer.behaviour { EchoPeer() }
            try await PeersTests.withClient(target: target, trusts: false) { _, target, client in
                let refusal = try await client.refusal(
                    of: .connectTLS(1, host: "localhost", port: UInt16(target.port)))
                #expect(refusal.code == .tlsFailed)
                #expect(refusal.message.contains("not trusted"), "\(refusal.message)")
            }
        }

        @Test func namesAreSentAndAddressesAreNot() async throws {
            let (names, told) = AsyncStream.makeStream(of: String?.self)
            let target = try TLSPeer.behaviour(serverName: told) { EchoPeer() }
            try await PeersTests.withClient(target: target) { node, target, client in
                var iterator = names.makeAsyncIterator()
                let port = UInt16(target.port)
                try await client.open(.connectTLS(1, host: "127.0.0.1", port: port))
                #expect(try #require(await iterator.next()) == nil)
                try await client.open(.connectTLS(2, host: "localhost", port: port))
                #expect(try #require(await iterator.next()) == "localhost")
                for id in [SocketID(1), 2] { #expect(try await client.finish(id) == .clientClosed) }
                #expect(try await node.settles(sockets: 0, sessions: 1))
            }
        }
    }
}
