import NIOCore
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetTesting

/// Entries for one transport, from a client's side.
@Suite struct TransportTests {
    private static func rules(deny: [String] = [], _ allow: [String], _ more: String = "") throws -> Policy {
        func list(_ entries: [String]) -> String { entries.map { "\"\($0)\"" }.joined(separator: ", ") }
        return try policy("[network]\ndeny = [\(list(deny))]\nallow = [\(list(allow))]\n\(more)")
    }

    private func bind(_ client: TestClient, _ request: Request) async throws -> UInt16 {
        let answer = try await client.ask(request)
        guard case .udpBound(_, let port) = answer else { throw UnexpectedEvent(event: answer) }
        return port
    }

    private func isDenied(_ client: TestClient, _ request: Request) async throws -> Bool {
        try await client.refusal(request).code == .policyDenied
    }

    /// A datagram arrives, or is refused.
    private func arrives(
        _ client: TestClient, _ id: SocketID, at peer: TestDatagrams, sendTo: Bool = false
    ) async throws -> Bool {
        let data = ByteBuffer(string: "to \(id)")
        client.send(sendTo ? .sendTo(id, host: "127.0.0.1", port: UInt16(peer.port), data) : .send(id, data))
        return try await peer.next() == data
    }

    @Test func eachTransportReachesItsPortsAlone() async throws {
        let datagrams = try await TestDatagrams.start()
        let udp = UInt16(datagrams.port)
        // One node cannot know the target's port before the target exists.
        try await TestNode.withClient { node, target, client in
            let tcp = UInt16(target.port)
            for rules in [
                try Self.rules(["udp/127.0.0.1:\(udp)", "tcp/127.0.0.1:\(tcp)"]),
                try Self.rules(deny: ["tcp/*:\(udp)", "udp/127.0.0.0/8:\(tcp)"], ["127.0.0.1"]),
                try Self.rules(deny: ["udp/*", "tcp/127.0.0.1:\(udp)"], ["udp/127.0.0.1:\(udp)", "tcp/127.0.0.1"]),
            ] {
                node.server.replacePolicy(rules)
                try await client.connect(1, port: target.port)
                #expect(try await client.echoes(1, "by TCP"))
                _ = try await self.bind(client, .connectUDP(2, host: "127.0.0.1", port: udp))
                #expect(try await self.arrives(client, 2, at: datagrams))
                #expect(try await self.arrives(client, 2, at: datagrams, sendTo: true))
                for request in [
                    Request.connect(3, host: "127.0.0.1", port: udp), .connectTLS(3, host: "127.0.0.1", port: udp),
                    .connect(3, host: "::ffff:127.0.0.1", port: udp), .connectUDP(3, host: "127.0.0.1", port: tcp),
                    .sendTo(2, host: "127.0.0.1", port: tcp, ByteBuffer(string: "x")),
                ] {
                    #expect(try await self.isDenied(client, request), "\(rules.rules.deny) \(request)")
                }
                #expect(try await self.arrives(client, 2, at: datagrams))
                for id in [SocketID(1), 2] {
                    let answer = try await client.ask(.close(id))
                    guard case .closed(id, .clientClosed, _) = answer else { throw UnexpectedEvent(event: answer) }
                }
            }
            #expect(target.openedCount == 3)
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
        await datagrams.stop()
    }

    @Test func aNewPolicyEndsTheSocketsOfTheTransportThatItForbids() async throws {
        let datagrams = try await TestDatagrams.start()
        let udp = UInt16(datagrams.port)
        try await TestNode.withClient { node, target, client in
            for (denied, isUDP) in [("udp", true), ("tcp", false)] {
                node.server.replacePolicy(try Self.rules(["127.0.0.1"]))
                try await client.connect(1, port: target.port)
                _ = try await self.bind(client, .connectUDP(2, host: "127.0.0.1", port: udp))
                node.server.replacePolicy(try Self.rules(deny: ["\(denied)/127.0.0.1"], ["127.0.0.1"]))
                let end = try await client.answer()
                guard case .closed(isUDP ? 2 : 1, .policyDenied, _) = end else { throw UnexpectedEvent(event: end) }
                if isUDP {
                    #expect(try await client.echoes(1, "still here"))
                } else {
                    #expect(try await self.arrives(client, 2, at: datagrams))
                }
                let answer = try await client.ask(.close(isUDP ? 1 : 2))
                guard case .closed(_, .clientClosed, _) = answer else { throw UnexpectedEvent(event: answer) }
            }
        }
        await datagrams.stop()
    }

    /// The targets of a bound socket follow the entries too; incoming data, and a listener's connections, do not.
    @Test func boundSocketsSendByTheEntriesForUDP() async throws {
        let datagrams = try await TestDatagrams.start()
        let bound = "bind_ports = \"1-65535\"\n"
        try await TestNode.withClient(policy: try Self.rules(["udp/127.0.0.1"], bound)) { node, target, client in
            let port = try await self.bind(client, .bindUDP(1, host: "127.0.0.1", port: 0))
            #expect(try await self.arrives(client, 1, at: datagrams, sendTo: true))
            node.server.replacePolicy(try Self.rules(deny: ["udp/*"], ["tcp/127.0.0.1"], bound))
            let data = ByteBuffer(string: "x")
            #expect(
                try await self.isDenied(client, .sendTo(1, host: "127.0.0.1", port: UInt16(datagrams.port), data)))
            try await datagrams.send("in", to: Int(port))
            let answer = try await client.answer()
            guard case .dataFrom(1, ByteBuffer(string: "in"), _, _) = answer else {
                throw UnexpectedEvent(event: answer)
            }
            node.server.replacePolicy(try Self.rules(deny: ["tcp/*"], ["udp/127.0.0.1"], bound))
            guard case .listening(2, let listening) = try await client.ask(.bind(2, host: "127.0.0.1", port: 0)) else {
                throw ChannelError.eof
            }
            let visitor = try await TestClient.visit(port: Int(listening))
            let accepted = try await client.answer()
            guard case .accepted(2, _, _) = accepted else { throw UnexpectedEvent(event: accepted) }
            #expect(try await self.isDenied(client, .connect(3, host: "127.0.0.1", port: UInt16(target.port))))
            try await visitor.close()
        }
        await datagrams.stop()
    }

    /// The request for an address does not name its transport.
    @Test func aNameThatOneTransportMayReachIsLookedUp() async throws {
        let resolver = ScriptedResolver(["ns.test": [["127.0.0.1"]], "db.test": [["127.0.0.1"]]])
        let datagrams = try await TestDatagrams.start()
        let port = UInt16(datagrams.port)
        let rules = try Self.rules(deny: ["*"], ["udp/ns.test:\(port)"])
        try await TestNode.withClient(policy: rules, resolver: resolver) { _, target, client in
            #expect(try await client.ask(.resolve(1, name: "ns.test")) == .resolved(1, addresses: ["127.0.0.1"]))
            #expect(try await self.isDenied(client, .resolve(1, name: "db.test")))
            #expect(try await self.isDenied(client, .connect(1, host: "ns.test", port: port)))
            // By the address that belongs to the name as by the name.
            #expect(try await self.isDenied(client, .connect(1, host: "127.0.0.1", port: port)))
            _ = try await self.bind(client, .connectUDP(1, host: "127.0.0.1", port: port))
            #expect(try await self.arrives(client, 1, at: datagrams))
            _ = try await self.bind(client, .connectUDP(2, host: "ns.test", port: port))
            #expect(try await self.arrives(client, 2, at: datagrams))
        }
        await datagrams.stop()
    }
}
