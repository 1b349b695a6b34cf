import NIOCore
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// The policy from a client's side.
@Suite struct PolicyTests {
    private static let opens: [@Sendable (String, UInt16) -> Request] = [
        { .connect(1, host: $0, port: $1) }, { .connectTLS(1, host: $0, port: $1) },
        { .connectUDP(1, host: $0, port: $1) },
    ]

    /// Every spelling of the loopback address that a literal can have.
    @Test(
        arguments: 0..<3,
        ["127.0.0.1", "::ffff:127.0.0.1", "[::1]", "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0", "localhost"])
    func privateAddressesAreOutOfReach(kind: Int, host: String) async throws {
        try await TestNode.withClient(policy: .default) { node, target, client in
            let refusal = try await client.refusal(Self.opens[kind](host, UInt16(target.port)))
            #expect(refusal.code == .policyDenied)
            #expect(target.openedCount == 0)
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
    }

    @Test(arguments: [WireEncoding.json, .binary])
    func v1IsToldDeniedInWords(encoding: WireEncoding) async throws {
        try await TestNode.withClient(policy: .default, version: .v1) { _, _, client in
            client.send(.connect(7, host: "10.1.2.3", port: 22), as: encoding)
            let incoming = try await client.next()
            guard case .event(let event, let isText, let raw) = incoming else {
                throw TestClient.Unexpected(incoming: incoming)
            }
            let refusal = try Expected.refused(7).value(of: event)
            #expect(refusal.code == .policyDenied)
            #expect(refusal.message.contains("10.1.2.3:22"))
            #expect(isText == (encoding == .json))
            let head = raw.getBytes(at: raw.readerIndex, length: 14) ?? []
            #expect(encoding == .json ? head == Array(#"{"ev":"denied""#.utf8) : head.first == 0x87)
        }
    }

    @Test func denyByDefaultLetsInWhatIsListed() async throws {
        let target = try await TestTarget.start(.echo)
        let other = try await TestTarget.start(.echo)
        let rules = try policy(
            """
            [network]
            deny = ["*"]
            allow = ["127.0.0.1:\(target.port)"]
            """)
        try await TestNode.withClient(policy: rules) { _, _, client in
            try await client.connect(1, port: target.port)
            #expect(try await client.echoes(1, "hello"))
            #expect(
                try await client.refusal(.connect(2, host: "127.0.0.1", port: UInt16(other.port))).code == .policyDenied
            )
            #expect(other.openedCount == 0)
        }
        await target.stop()
        await other.stop()
    }

    @Test func theNodesOwnPortIsOutOfReachUnderEveryPolicy() async throws {
        try await TestNode.withClient(policy: .unrestricted) { node, _, client in
            for host in ["127.0.0.1", "::ffff:127.0.0.1", "localhost"] {
                let refusal = try await client.refusal(.connect(1, host: host, port: UInt16(node.port)))
                #expect(refusal.code == .policyDenied, "\(host)")
            }
        }
    }

    @Test func bindingIsHeldToItsPortsAndAddresses() async throws {
        let rules = try policy(
            """
            [network]
            allow = ["*"]
            bind_ports = "40000-40999"
            """)
        try await TestNode.withClient(policy: rules) { _, _, client in
            #expect(try await client.refusal(.bind(1, host: "127.0.0.1", port: 39_999)).code == .policyDenied)
            #expect(try await client.refusal(.bind(1, host: "0.0.0.0", port: 40_000)).code == .policyDenied)
            #expect(try await client.refusal(.bindUDP(1, host: "127.0.0.1", port: 39_999)).code == .policyDenied)
            #expect(try await client.refusal(.bind(1, host: "example.com", port: 40_000)).code == .protocolError)
            let port = try await client.ask(.bind(1, host: "127.0.0.1", port: 0), for: .listening(1))
            #expect((40_000...40_999).contains(port))
        }
    }

    /// However few ports are left, port 0 finds one, for listeners and for UDP.
    @Test(arguments: [false, true]) func portZeroFindsTheLastFreePort(udp: Bool) async throws {
        // Below the ports that the system gives out by itself.
        let first = UInt16.random(in: 500..<700) * 40
        let ports = first...(first + 39)
        let rules = try policy(
            "[network]\nallow = [\"*\"]\nbind_ports = \"\(ports.lowerBound)-\(ports.upperBound)\"")
        try await TestNode.withClient(policy: rules) { _, _, client in
            func bind(_ id: UInt64, _ port: UInt16) async throws -> UInt16? {
                let id = SocketID(id)
                switch try await client.ask(
                    udp ? .bindUDP(id, host: "127.0.0.1", port: port) : .bind(id, host: "127.0.0.1", port: port))
                {
                case .listening(id, let port), .udpBound(id, let port): return port
                case .refused(id, let refusal) where refusal.code == .addressInUse: return nil
                case let event: throw UnexpectedEvent(event: event)
                }
            }
            var owners: [UInt16: UInt64] = [:]
            for id in 1...20 as ClosedRange<UInt64> {
                guard let port = try await bind(id, 0) else { continue }
                #expect(ports.contains(port) && owners.updateValue(id, forKey: port) == nil)
            }
            #expect(owners.count == 20)
            for port in ports where owners[port] == nil {
                if try await bind(UInt64(port), port) != nil { owners[port] = UInt64(port) }
            }
            let none = try await bind(100, 0)
            #expect(none == nil)
            // One is released again: 39 of 40 are taken. A program that another test is just starting may hold it a moment longer.
            var missed = 0
            for id in 101...120 as ClosedRange<UInt64> {
                let (port, owner) = try #require(owners.randomElement())
                try await client.ask(.close(SocketID(owner)), for: .closed())
                if let found = try await bind(id, 0) {
                    owners[port] = nil
                    owners[found] = id
                } else {
                    missed += 1
                    owners[port] = try await bind(id, port) == nil ? nil : id
                }
            }
            #expect(missed <= 4, "\(missed) of 20")
        }
    }

    /// The issue's theft: `localhost` may be ::1, where the admin server does not listen.
    @Test func nothingIsBoundBesideTheNodesOwnPorts() async throws {
        let rules = try policy(
            """
            [network]
            allow = ["*"]
            bind_ports = "1-65535"
            bind_addresses = ["127.0.0.1", "127.0.0.2", "::1", "0.0.0.0", "::"]
            """)
        for policy in [rules, .unrestricted] {
            try await TestNode.withClient(
                policy: policy, configure: { $0.admin = AdminOptions(host: "127.0.0.1", port: 0) }
            ) { node, _, client in
                let admin = UInt16(node.server.adminAddress?.split(separator: ":").last ?? "") ?? 0
                #expect(admin > 0)
                for port in [admin, UInt16(node.port)] {
                    for host in ["::1", "127.0.0.2", "0.0.0.0", "::", "localhost", "::ffff:127.0.0.1"] {
                        let tcp = try await client.refusal(.bind(1, host: host, port: port))
                        let udp = try await client.refusal(.bindUDP(1, host: host, port: port))
                        #expect(tcp.code == .policyDenied && udp.code == .policyDenied, "\(host)")
                    }
                }
            }
        }
    }

    @Test func datagramsAreHeldToThePolicyOneByOne() async throws {
        let rules = try policy(
            """
            [network]
            allow = ["*"]
            bind_ports = "1024-65535"
            """)
        try await TestNode.withClient(policy: rules) { _, _, client in
            try await client.ask(.bindUDP(1, host: "127.0.0.1", port: 0), for: .udpBound(1))
            let refusal = try await client.refusal(
                .sendTo(1, host: "127.0.0.1", port: 9, ByteBuffer(string: "into the house")))
            #expect(refusal.code == .policyDenied)
        }
    }

    @Test func aNameThatLeadsInsideIsDenied() async throws {
        let resolver = ScriptedResolver(["inside.example": [["10.0.0.7", "127.0.0.1", "::1"]]])
        try await TestNode.withClient(policy: .default, resolver: resolver) { _, target, client in
            for request in [
                Request.connect(1, host: "inside.example", port: UInt16(target.port)),
                .connectUDP(1, host: "inside.example", port: 53), .resolve(1, name: "inside.example"),
            ] {
                let refusal = try await client.refusal(request)
                #expect(refusal.code == .policyDenied)
            }
            #expect(target.openedCount == 0)
        }
    }

    /// The addresses behind a name are not revealed; the client's own words are repeated.
    @Test func aDenialSaysNothingOfAddressesThatTheClientDidNotName() async throws {
        let resolver = ScriptedResolver(["inside.example": [["10.11.12.13"]], "listed.example": [["8.8.4.4"]]])
        let rules = try policy("[network]\ndeny = [\"8.8.4.0/24\"]")
        try await TestNode.withClient(policy: rules, resolver: resolver) { _, _, client in
            for (name, secret) in [("inside.example", "10.11.12.13"), ("listed.example", "8.8.4")] {
                for request in [
                    Request.connect(1, host: name, port: 443), .connectTLS(1, host: name, port: 443),
                    .connectUDP(1, host: name, port: 443), .resolve(1, name: name),
                ] {
                    let refusal = try await client.refusal(request)
                    #expect(refusal.code == .policyDenied)
                    #expect(refusal.message.contains(name) && !refusal.message.contains(secret), "\(refusal.message)")
                    #expect(!refusal.message.contains("private"), "\(refusal.message)")
                }
            }
            // A client that names an address learns everything.
            let refusal = try await client.refusal(.connect(1, host: "10.11.12.13", port: 443))
            #expect(refusal.message.contains("10.11.12.13:443"), "\(refusal.message)")
        }
    }

    @Test func onlyTheAllowedOnesOfANamesAddressesAreDialed() async throws {
        let resolver = ScriptedResolver(["both.example": [["127.0.0.1", "127.0.0.2"]]])
        let inside = try await TestTarget.start(.echo)
        let outside = try await TestTarget.start(.echo, host: "127.0.0.2", port: inside.port)
        let rules = try policy("[network]\nallow = [\"*\", \"127.0.0.2\"]")
        try await TestNode.withClient(policy: rules, resolver: resolver) { _, _, client in
            #expect(try await client.ask(.resolve(9, name: "both.example")) == .resolved(9, addresses: ["127.0.0.2"]))
            try await client.connect(1, "both.example", port: inside.port)
            #expect(try await client.echoes(1, "x"))
            #expect(inside.openedCount == 0)
            #expect(outside.openedCount == 1)
        }
        await inside.stop()
        await outside.stop()
    }

    /// First public, then private: the second lookup is decided as strictly as the first.
    @Test func aRebindingResolverNeverReachesThePrivateAddress() async throws {
        let resolver = ScriptedResolver(["rebind.example": [["8.8.8.8"], ["127.0.0.1"]]])
        try await TestNode.withClient(policy: .default, resolver: resolver) { node, target, client in
            #expect(try await client.ask(.resolve(1, name: "rebind.example")) == .resolved(1, addresses: ["8.8.8.8"]))
            // Another session: one caches its results for half a minute.
            let second = try await TestClient.connect(port: node.port)
            _ = try await second.next()  // hello
            let refusal = try await second.refusal(.connect(2, host: "rebind.example", port: UInt16(target.port)))
            #expect(refusal.code == .policyDenied)
            #expect(target.openedCount == 0)
            await second.close()
        }
    }

    @Test func addressesStayTiedToTheNameTheyCameFrom() async throws {
        let target = try await TestTarget.start(.echo)
        let resolver = ScriptedResolver(["redis.test": [["127.0.0.1"]]])
        let rules = try policy("[network]\ndeny = [\"*\"]\nallow = [\"redis.test:\(target.port)\"]")
        try await TestNode.withClient(policy: rules, resolver: resolver) { _, _, client in
            let port = UInt16(target.port)
            #expect(try await client.refusal(.connect(1, host: "127.0.0.1", port: port)).code == .policyDenied)
            #expect(try await client.ask(.resolve(1, name: "redis.test")) == .resolved(1, addresses: ["127.0.0.1"]))
            try await client.connect(2, port: target.port)
            #expect(try await client.echoes(2, "tied"))
            #expect(try await client.refusal(.connect(3, host: "127.0.0.2", port: port)).code == .policyDenied)
            #expect(try await client.refusal(.connect(3, host: "127.0.0.1", port: port &+ 1)).code == .policyDenied)
        }
        await target.stop()
    }

    @Test func aNewPolicyEndsTheSocketsThatItForbids() async throws {
        let kept = try await TestTarget.start(.echo)
        try await TestNode.withClient(policy: .unrestricted) { node, target, client in
            try await client.connect(1, port: target.port)
            try await client.connect(2, port: kept.port)
            node.server.replacePolicy(try policy("[network]\ndeny = [\"*\"]\nallow = [\"127.0.0.1:\(kept.port)\"]"))
            try await client.answer(.closed(1, .policyDenied))
            #expect(try await client.echoes(2, "still here"))
            #expect(
                try await client.refusal(.connect(3, host: "127.0.0.1", port: UInt16(target.port))).code
                    == .policyDenied)
            #expect(
                try await client.refusal(.connect(3, host: "127.0.0.1", port: UInt16(node.port))).code == .policyDenied)
            #expect(try await node.settles(sockets: 1, sessions: 1))
        }
        await kept.stop()
    }

    @Test func idleSocketsEnd() async throws {
        let rules = try policy("[network]\nallow = [\"*\", \"127.0.0.1\"]\n[limits]\nidle_timeout_secs = 0.2")
        try await TestNode.withClient(policy: rules) { _, target, client in
            try await client.connect(1, port: target.port)
            try await client.answer(.closed(1, .targetTimeout))
        }
    }
}
