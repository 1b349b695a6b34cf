import Foundation
import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

extension PeersTests {
    /// A page of Python's web server.
    @Suite(.enabled(if: PeerProcess.isInstalled("python3"))) struct HTTPTests {
        private func withServer(
            _ page: ByteBuffer, _ body: (UInt16) async throws -> Void
        ) async throws {
            try await TemporaryDirectory.with { directory in
                try Data(page.readableBytesView).write(to: directory.appending(path: "page.bin"))
                let arguments = ["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
                try await PeerProcess.with("python3", arguments, in: directory.path) { server in
                    let words = try await server.output(until: "/) ...")
                    try await body(try #require(LoopbackPort.last(in: words)))
                }
            }
        }

        @Test(arguments: [WireVersion.v1, .v2], [WireEncoding.json, .binary])
        func aPageComesWhole(version: WireVersion, encoding: WireEncoding) async throws {
            guard version == .v1 || encoding == .binary else { return }
            let page = Pattern.bytes(from: 0, count: 1 << 20)
            try await self.withServer(page) { port in
                try await PeersTests.withClient(version: version) { node, _, client in
                    try await client.open(.connect(1, host: "127.0.0.1", port: port), as: encoding)
                    let request = "GET /page.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                    client.send(.send(1, ByteBuffer(string: request)), as: encoding)
                    let (bytes, last) = try await client.read(1)
                    let answer = try #require(HTTPAnswer(bytes))
                    #expect(answer.status.hasSuffix(" 200 OK"))
                    #expect(answer.headers.contains("Content-Length: \(1 << 20)"))
                    #expect(answer.body == page)
                    if version == .v2 {
                        #expect(last == .end(1))
                        #expect(try await client.finish(1) == .clientClosed)
                    } else {
                        try Expected.closed(1).value(of: #require(last))
                    }
                    #expect(try await node.settles(sockets: 0, sessions: 1))
                }
            }
        }

        @Test func aPageThatIsNotThereSaysSo() async throws {
            try await self.withServer(ByteBuffer()) { port in
                try await PeersTests.withClient { _, _, client in
                    try await client.open(.connect(1, host: "127.0.0.1", port: port))
                    client.send(.send(1, ByteBuffer(string: "GET /nothing HTTP/1.0\r\n\r\n")))
                    let answer = try #require(HTTPAnswer(try await client.read(1).bytes))
                    #expect(answer.status.contains(" 404 "))
                }
            }
        }
    }
}
