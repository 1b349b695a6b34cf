import NIOCore
import NIOWebSocket
import Testing
import Wasmnet
import WasmnetCluster
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// Decisions before a wait are made again after it, and a late answer finds the socket that asked, not one of the same id.
@Suite(.timeLimit(.minutes(1))) struct OpeningTests {
    /// Events that deny a target while it is being dialed.
    enum Change: CaseIterable {
        case policy, denylist

        func deny(_ address: String, on node: TestNode) async throws {
            switch self {
            case .policy: node.server.replacePolicy(try WireTests.policy("network.deny = [\"\(address)\"]"))
            case .denylist: _ = try await node.server.denylistStore.add(try DenylistSubject(address))
            }
        }

        var code: ReasonCode { self == .policy ? .policyDenied : .denylisted }
    }

    private func named(_ addresses: [String]) -> ScriptedResolver { ScriptedResolver(["target.example": [addresses]]) }

    private let rules = """
        network.allow = ["target.example", "127.0.0.1", "127.0.0.2"]
        network.bind_ports = "1024-65535"
        """

    @Test(arguments: Change.allCases) func aDialByNameEndsWhenItsAddressIsDenied(change: Change) async throws {
        let silent = try SilentTarget()
        let resolver = self.named(["127.0.0.1"])
        try await TestNode.withClient(policy: policy(self.rules), resolver: resolver) { node, _, client in
            client.send(.connect(1, host: "target.example", port: silent.port))
            #expect(try await silent.comesTo(1))
            try await change.deny("127.0.0.1", on: node)
            let refusal = try await client.answer(.refused(1))
            #expect(refusal.code == change.code)
            #expect(!refusal.message.contains("127.0.0.1"), "\(refusal.message)")
            #expect(try await silent.comesTo(0))
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
    }

    /// The address is denied while names are being looked up, for any request.
    @Test(arguments: Change.allCases) func aLookupIsDecidedByWhatHoldsAtItsAnswer(change: Change) async throws {
        let resolver = HeldResolver()
        let rules = try policy("network.allow = [\"*.example\", \"127.0.0.1\"]\nnetwork.bind_ports = \"1024-65535\"")
        try await TestNode.withClient(policy: rules, resolver: resolver) { node, target, client in
            let port = UInt16(target.port)
            try await client.ask(.bindUDP(5, host: "127.0.0.1", port: 0), for: .udpBound(5))
            client.send(.connect(1, host: "a.example", port: port))
            client.send(.connectTLS(2, host: "b.example", port: port))
            client.send(.connectUDP(3, host: "c.example", port: port))
            client.send(.resolve(4, name: "d.example"))
            client.send(.sendTo(5, host: "e.example", port: port, ByteBuffer(string: "datagram")))
            for _ in 0..<500 where resolver.count < 5 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(resolver.count == 5)
            try await change.deny("127.0.0.1", on: node)
            resolver.answerAll("127.0.0.1")
            var codes: [SocketID: ReasonCode] = [:]
            while codes.count < 5 {
                switch try await client.answer() {
                case .refused(let id, let refusal): codes[id] = refusal.code
                case .closed(let id, let reason, _): codes[id] = reason
                case let other: throw UnexpectedEvent(event: other)
                }
            }
            #expect(codes.values.allSatisfy { $0 == change.code }, "\(codes)")
        }
    }

    @Test(arguments: Change.allCases) func aHandshakeEndsWhenItsAddressIsDenied(change: Change) async throws {
        let resolver = self.named(["127.0.0.1"])
        try await TestNode.withClient(
            policy: policy(self.rules), target: .deaf, resolver: resolver
        ) { node, target, client in
            client.send(.connectTLS(1, host: "target.example", port: UInt16(target.port)))
            for _ in 0..<1000 where target.openCount == 0 { try await Task.sleep(for: .milliseconds(10)) }
            try await change.deny("127.0.0.1", on: node)
            let refusal = try await client.answer(.refused(1))
            #expect(refusal.code == change.code)
        }
    }

    /// The first address does not answer; by the time that the second is tried it is denied.
    @Test(arguments: Change.allCases) func theSecondAddressIsDecidedWhenItIsTried(change: Change) async throws {
        let resolver = self.named(["127.0.0.2", "127.0.0.1"])
        let rules = try policy(self.rules + "\nnetwork.connection_timeout_secs = 5")
        try await TestNode.withClient(
            policy: rules, resolver: resolver, configure: { $0.settings.connectionAttemptDelay = .seconds(4) }
        ) { node, target, client in
            let silent = try SilentTarget(host: "127.0.0.2", port: UInt16(target.port))
            client.send(.connect(1, host: "target.example", port: silent.port))
            #expect(try await silent.comesTo(1))
            switch change {
            case .policy:
                node.server.replacePolicy(
                    try policy(
                        "network.deny = [\"127.0.0.1\"]\nnetwork.allow = [\"127.0.0.2\"]\nnetwork.connection_timeout_secs = 5"
                    ))
            case .denylist: try await change.deny("127.0.0.1", on: node)
            }
            try await client.answer(.refused(1))
            #expect(target.openedCount == 0)
        }
    }

    @Test func anOperatorEndsASocketThatIsStillOpening() async throws {
        let silent = try SilentTarget()
        try await TestNode.withClient(policy: policy(self.rules)) { node, _, client in
            client.send(.connect(1, host: "127.0.0.1", port: silent.port))
            #expect(try await silent.comesTo(1))
            let session = try #require(node.server.environment.registry.sessions.first)
            #expect(await session.endByOperator(1))
            let refusal = try await client.answer(.refused(1))
            #expect(refusal.code == .policyDenied)
            #expect(try await silent.comesTo(0))
        }
    }

    /// The bind fails a turn of the event loop after its socket was closed and its id was reused.
    @Test func aLateFailureToBindLeavesTheNewSocketOfTheIDAlone() async throws {
        let taken = try await TestTarget.start(.echo)
        try await TestNode.withClient(
            policy: .unrestricted, version: .v1, configure: { $0.settings.inputTurn = .seconds(1) }
        ) { node, target, client in
            for round in 1...20 {
                let id = SocketID(round)
                client.sendTogether([
                    #"{"op":"bind","id":\#(round),"addr":"127.0.0.1","port":\#(taken.port)}"#,
                    #"{"op":"close","id":\#(round)}"#,
                    #"{"op":"connect","id":\#(round),"addr":"127.0.0.1","port":\#(target.port)}"#,
                ])
                try await client.answer(.closed(id))
                try await client.answer(.connected(id))
                #expect(try await client.echoes(id, "round \(round)", as: .json))
            }
            #expect(try await node.settles(sockets: 20, sessions: 1))
            await client.close()
            #expect(try await node.settles(sockets: 0, sessions: 0))
        }
        await taken.stop()
    }

    @Test func anAddressOfTwoNamesIsAllowedByEither() async throws {
        let target = try await TestTarget.start(.echo)
        let resolver = ScriptedResolver(["good.test": [["127.0.0.1"]], "other.test": [["127.0.0.1"]]])
        let rules = try policy(
            "network.deny = [\"*\"]\nnetwork.allow = [\"good.test:\(target.port)\", \"other.test:1\"]")
        for names in [["good.test", "other.test"], ["other.test", "good.test"]] {
            try await TestNode.withClient(policy: rules, resolver: resolver) { _, _, client in
                for name in names {
                    try await client.ask(.resolve(9, name: name), for: .resolved())
                }
                try await client.connect(1, port: target.port)
                #expect(try await client.echoes(1, "by either"))
            }
        }
        await target.stop()
    }

    @Test func anAddressOfADeniedNameIsDeniedWhateverOtherNameItHas() async throws {
        let resolver = ScriptedResolver(["good.test": [["127.0.0.1"]], "bad.test": [["127.0.0.1"]]])
        for names in [["good.test", "bad.test"], ["bad.test", "good.test"]] {
            try await TestNode.withClient(policy: .unrestricted, resolver: resolver) { node, target, client in
                let port = UInt16(target.port)
                let rules =
                    "network.deny = [\"bad.test:\(port)\"]\nnetwork.allow = [\"good.test\", \"bad.test\", \"127.0.0.1\"]"
                node.server.replacePolicy(try policy(rules))
                for name in names {
                    try await client.ask(.resolve(9, name: name), for: .resolved())
                }
                let refusal = try await client.refusal(.connect(1, host: "127.0.0.1", port: port))
                #expect(refusal.code == .policyDenied)
                #expect(target.openedCount == 0)
            }
        }
    }
}

extension TestClient {
    /// Text messages in one write, so that the node finds them in one read.
    func sendTogether(_ texts: [String]) {
        for text in texts {
            let frame = WebSocketFrame(fin: true, opcode: .text, maskKey: .random(), data: ByteBuffer(string: text))
            self.channel.write(frame, promise: nil)
        }
        self.channel.flush()
    }
}
