import NIOCore
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// Rules of docs/protocol.md that no other suite tests.
@Suite(.timeLimit(.minutes(1))) struct ProtocolRuleTests {
    /// Whether the next message is text.
    private func nextIsText(_ client: TestClient) async throws -> Bool {
        let incoming = try await client.next()
        guard case .event(_, let isText, _) = incoming else { throw TestClient.Unexpected(incoming: incoming) }
        return isText
    }

    @Test func aHeadThatDoesNotComeWholeEndsItsConnection() async throws {
        let node = try await TestNode.start { $0.settings.upgradeTimeout = .milliseconds(400) }
        let client = try await RawClient.connect(port: node.port)
        try await client.send("GET / HTTP/1.1\r\nHost: node\r\n")
        #expect(try await client.text() == "")
        await client.close()
        await node.stop()
    }

    /// Also where the client did not wait for it.
    @Test func helloIsFirstAndSaysTheTerms() async throws {
        let node = try await TestNode.start {
            $0.settings.firstWindowBytes = 70_000
            $0.settings.heartbeat = .seconds(20)
        }
        let target = try await TestTarget.start(.echo)
        let client = try await TestClient.connect(port: node.port, version: .v2)
        client.send(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
        client.send(.send(1, ByteBuffer(string: "early")))
        let hello = try await client.expect(.hello)
        #expect(hello.window == 70_000)
        #expect(hello.maxMessage == 1 << 20)
        #expect(hello.maxSockets == 4096)
        #expect(hello.heartbeatMilliseconds == 20_000)
        #expect(!hello.version.isEmpty && !hello.session.isEmpty)
        try await client.answer(.connected(1))
        #expect(try await client.answer(.data(1)) == ByteBuffer(string: "early"))
        await client.close()
        await target.stop()
        await node.stop()
    }

    @Test func eventsComeInTheEncodingOfTheirSocket() async throws {
        try await TestNode.withClient(version: .v1) { _, target, client in
            for (id, encoding) in [(SocketID(1), WireEncoding.json), (SocketID(2), WireEncoding.binary)] {
                let isText = encoding == .json
                client.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port)), as: encoding)
                #expect(try await self.nextIsText(client) == isText)
                client.send(.send(id, ByteBuffer(string: "x")), as: isText ? .binary : .json)
                #expect(try await self.nextIsText(client) == isText)
            }
            let port = try await client.ask(.bind(3, host: "127.0.0.1", port: 0), as: .json, for: .listening(3))
            let visitor = try await TestClient.visit(port: Int(port))
            #expect(try await self.nextIsText(client), "accepted")
            try await visitor.writeAndFlush(ByteBuffer(string: "x"))
            #expect(try await self.nextIsText(client), "data of what was accepted")
            client.sendText("no JSON")
            #expect(try await self.nextIsText(client))
            client.sendMessage(ByteBuffer(bytes: [0x77]))
            #expect(try await !self.nextIsText(client))
            try await visitor.close()
        }
    }

    @Test func creditAndResetsForNoSocketAreNotAnswered() async throws {
        try await TestNode.withClient { _, _, client in
            client.send(.window(77, bytes: 1))
            client.send(.reset(77))
            let addresses = try await client.ask(.resolve(1, name: "127.0.0.1"), for: .resolved(1))
            #expect(addresses == ["127.0.0.1"])
        }
    }

    @Test func aLookupTakesAnyIDButTheSessions() async throws {
        try await TestNode.withClient { _, target, client in
            try await client.connect(1, port: target.port)
            for id in [1, 2, 2, 1 << 52] as [SocketID] {
                let addresses = try await client.ask(.resolve(id, name: "127.0.0.1"), for: .resolved(id))
                #expect(addresses == ["127.0.0.1"])
            }
            #expect(try await client.refusal(.resolve(0, name: "127.0.0.1")).code == .protocolError)
            #expect(try await client.echoes(1, "left alone"))
        }
    }

    @Test func localhostIsAnAddressToBind() async throws {
        try await TestNode.withClient { _, _, client in
            let port = try await client.ask(.bind(1, host: "localhost", port: 0), for: .listening(1))
            let visitor = try await TestClient.visit(port: Int(port))
            try await client.answer(.accepted(1))
            try await visitor.close()
        }
    }

    @Test func whatASocketsKindDoesNotHaveChangesNothing() async throws {
        try await TestNode.withClient { _, target, client in
            try await client.connect(1, port: target.port)
            let port = try await client.ask(.bind(2, host: "127.0.0.1", port: 0), for: .listening(2))
            #expect(try await client.refusal(.send(2, ByteBuffer(string: "x"))).code == .protocolError)
            for id in [1, 2] as [SocketID] {
                client.send(.sendTo(id, host: "127.0.0.1", port: 9, ByteBuffer(string: "x")))
            }
            client.send(.shutdown(2))
            client.send(.window(2, bytes: 1))
            #expect(try await client.echoes(1, "as before"))
            #expect(try await client.ask(.listen(2, backlog: 1), for: .listening(2)) == port)
        }
    }

    @Test func dataBehindAShutdownIsAProtocolError() async throws {
        try await TestNode.withClient(target: .deaf) { _, target, client in
            try await client.connect(1, port: target.port)
            client.send(.shutdown(1))
            client.send(.send(1, ByteBuffer(string: "late")))
            try await client.answer(.closed(1, .protocolError))
        }
    }

    @Test func aSessionLooksUpSoManyNamesAtOnce() async throws {
        let resolver = HeldResolver()
        try await TestNode.withClient(resolver: resolver) { _, _, client in
            for number in 1...64 { client.send(.resolve(SocketID(number), name: "n\(number).example")) }
            let refusal = try await client.refusal(.resolve(65, name: "n65.example"))
            #expect(refusal.code == .overloaded && refusal.retryAfterMilliseconds == 1000)
            resolver.answerAll("127.0.0.1")
        }
    }
}
