import NIOCore
import NIOWebSocket
import Testing
import WasmnetProtocol
import WasmnetTesting

/// A session's reaction to invalid input: the documented answer, and then it continues, or ends as documented.
@Suite struct BadInputTests {
    enum Dialect: CaseIterable, Sendable {
        case v1JSON, v1Binary, v2
        var version: WireVersion { self == .v2 ? .v2 : .v1 }
        var encoding: WireEncoding { self == .v1JSON ? .json : .binary }
        /// The information about a code that a client gets: v1's binary form carries the words only.
        func told(_ code: ReasonCode) -> ReasonCode { self == .v1Binary ? .internalError : code }
    }

    /// A session with an echo on socket 1, which still echoes when the body is done.
    private func session(
        _ dialect: Dialect, _ body: (TestNode, TestTarget, TestClient) async throws -> Void
    ) async throws {
        try await TestNode.withClient(version: dialect.version) { node, target, client in
            try await client.connect(1, port: target.port, as: dialect.encoding)
            try await body(node, target, client)
            #expect(try await client.echoes(1, "still here", as: dialect.encoding))
            #expect(try await node.settles(sockets: 1, sessions: 1))
        }
    }

    private func refusal(_ client: TestClient) async throws -> (id: SocketID, refusal: Refusal) {
        let answer = try await client.answer()
        guard case .refused(let id, let refusal) = answer else { throw UnexpectedEvent(event: answer) }
        return (id, refusal)
    }

    /// The input, as text; the id in the answer.
    @Test(arguments: [
        ("not JSON at all", 0), ("{}", 0), ("[]", 0), (#"{"op":"fly","id":9}"#, 9), (#"{"op":"connect","id":9}"#, 9),
        (#"{"op":"connect","id":"9","addr":"a","port":1}"#, 0),
        (#"{"op":"connect","id":9,"addr":"a","port":70000}"#, 9),
        (#"{"op":"send","id":1,"data":"%%%"}"#, 1), (#"{"op":"send","id":1,"data":"QQ=="#, 1),
        (#"{"op":"connect","id":-1,"addr":"a","port":1}"#, 0),
        (String(repeating: "[", count: 100_000), 0),
    ])
    func badTextIsAnErrorAndTheSessionGoesOn(text: String, id: Int) async throws {
        try await self.session(.v1JSON) { _, _, client in
            client.sendText(text)
            let answer = try await self.refusal(client)
            #expect(answer.id == SocketID(id))
            #expect(answer.refusal.code == .protocolError)
            #expect(!answer.refusal.message.isEmpty)
        }
    }

    @Test(
        arguments: [Dialect.v1Binary, .v2],
        [
            [0x01], [0x04, 0, 0, 0], [0x7F, 0, 0, 0, 0, 0, 0, 0, 9], [0x01, 0, 0, 0, 0, 0, 0, 0, 9, 1],
            [0x07, 0, 0, 0, 0, 0, 0, 0, 9, 0, 53, 0, 200, 65], [0x01, 0, 0, 0, 0, 0, 0, 0, 9, 0, 80, 0xFF, 0xFE],
            [0x81, 0, 0, 0, 0, 0, 0, 0, 9],
        ] as [[UInt8]])
    func badBinaryIsAnErrorAndTheSessionGoesOn(dialect: Dialect, message: [UInt8]) async throws {
        try await self.session(dialect) { _, _, client in
            client.sendMessage(ByteBuffer(bytes: message))
            let answer = try await self.refusal(client)
            #expect(answer.id == (message.count >= 9 ? 9 : 0))
            #expect(answer.refusal.code == dialect.told(.protocolError))
        }
    }

    @Test(arguments: Dialect.allCases) func anIDInUseIsRefusedAndItsSocketUntouched(dialect: Dialect) async throws {
        try await self.session(dialect) { _, target, client in
            for request in [
                Request.connect(1, host: "127.0.0.1", port: UInt16(target.port)), .bind(1, host: "127.0.0.1", port: 0),
                .connectUDP(1, host: "127.0.0.1", port: 9), .bindUDP(1, host: "127.0.0.1", port: 0),
            ] {
                let refusal = try await client.refusal(request, as: dialect.encoding)
                #expect(refusal.code == dialect.told(.duplicateID))
            }
        }
    }

    @Test(arguments: Dialect.allCases, [0, 1 << 52, UInt64(1 << 53) - 1])
    func idsThatAreNotTheClientsOpenNothing(dialect: Dialect, id: UInt64) async throws {
        try await self.session(dialect) { _, target, client in
            client.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port)), as: dialect.encoding)
            let answer = try await self.refusal(client)
            #expect(answer.id == id)
            #expect(answer.refusal.code == dialect.told(.protocolError))
        }
    }

    @Test(arguments: Dialect.allCases) func anUnknownIDIsAnsweredOnce(dialect: Dialect) async throws {
        try await self.session(dialect) { _, _, client in
            for _ in 0..<3 { client.send(.send(77, ByteBuffer(string: "lost")), as: dialect.encoding) }
            let answer = try await self.refusal(client)
            #expect(answer.id == 77)
            #expect(answer.refusal.code == dialect.told(.unknownSocket))
            // The echo at the session's end is the next event: there was no other event for 77.
        }
    }

    @Test(arguments: Dialect.allCases) func placesThatAreNone(dialect: Dialect) async throws {
        try await self.session(dialect) { _, _, client in
            let long = String(repeating: "a", count: 300)
            for host in [
                "", long, "a..b", ".", "a b", "a\u{0}b", "host\n", "010.0.0.1", "127.1", "0x7f.0.0.1",
                "münchen.example",
            ] {
                let refusal = try await client.refusal(.connect(5, host: host, port: 80), as: dialect.encoding)
                #expect(refusal.code == dialect.told(.protocolError), "\(host.prefix(20)): \(refusal)")
            }
            let refusal = try await client.refusal(.connect(5, host: "127.0.0.1", port: 0), as: dialect.encoding)
            #expect(refusal.code == dialect.told(.protocolError))
        }
    }

    @Test func textOverV2EndsTheSession() async throws {
        try await TestNode.withClient(version: .v2) { node, _, client in
            client.sendText(#"{"op":"resolve","id":1,"name":"localhost"}"#)
            try await client.expectClose(1002)
            #expect(try await node.settles(sockets: 0, sessions: 0))
        }
    }

    @Test(arguments: Dialect.allCases) func aMessageOverTheCapEndsTheSession(dialect: Dialect) async throws {
        try await TestNode.withClient(version: dialect.version) { node, _, client in
            client.sendMessage(ByteBuffer(repeating: 0x20, count: 1 << 20 + 1), isText: dialect == .v1JSON)
            try await client.expectClose(1009)
            #expect(try await node.settles(sockets: 0, sessions: 0))
        }
    }

    /// Announced and never sent: refused by its header alone.
    @Test func theLengthThatAFrameAnnouncesCostsNothing() async throws {
        try await TestNode.withClient(version: .v2) { _, _, client in
            let header: [UInt8] = [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4]
            let channel = client.channel
            try await channel.eventLoop.submit {
                let encoder = try channel.pipeline.syncOperations.context(handlerType: WebSocketFrameEncoder.self)
                encoder.writeAndFlush(NIOAny(ByteBuffer(bytes: header)), promise: nil)
            }.get()
            try await client.expectClose(1009)
        }
    }

    @Test func anUnmaskedFrameEndsTheSession() async throws {
        try await TestNode.withClient(version: .v2) { _, _, client in
            client.sendFrame(
                WebSocketFrame(fin: true, opcode: .binary, data: ByteBuffer(bytes: [5, 0, 0, 0, 0, 0, 0, 0, 1])))
            try await client.expectClose(1002)
        }
    }

    /// Each open is answered once, no accepted data is lost, and all slots are released.
    @Test(.serialized, arguments: Dialect.allCases, [0, 50])
    func tenThousandOpensAtOnce(dialect: Dialect, limit: Int) async throws {
        let rules = try policy(
            "[network]\nallow = [\"*\", \"127.0.0.1\"]\nmax_connections = \(limit)\nbind_ports = \"1024-65535\"\n[limits]\nrefusals_per_sec = 0"
        )
        try await TestNode.withClient(policy: rules, version: dialect.version) { node, target, client in
            let count = 10_000
            for id in 1...count {
                client.send(.connect(SocketID(id), host: "127.0.0.1", port: UInt16(target.port)), as: dialect.encoding)
            }
            var answers: [SocketID: Event] = [:]
            var connected: [SocketID] = []
            while answers.count < count {
                let event = try await client.answer()
                switch event {
                case .connected(let id, _, _, _):
                    #expect(answers.updateValue(event, forKey: id) == nil)
                    connected.append(id)
                case .refused(let id, let refusal):
                    #expect(answers.updateValue(event, forKey: id) == nil)
                    #expect(refusal.code == dialect.told(.maxConnections))
                default: throw UnexpectedEvent(event: event)
                }
            }
            #expect(connected.count == (limit == 0 ? 4096 : limit))
            let one = try #require(connected.last)
            #expect(try await client.echoes(one, "among many", as: dialect.encoding))
            await client.close()
            #expect(try await node.settles(sockets: 0, sessions: 0))
        }
    }
}
