import NIOCore
import NIOHTTP1
import Testing
import Wasmnet
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay
import WasmnetTesting

/// The quotas from a client's side.
@Suite struct QuotaTests {
    private func limits(_ lines: String) throws -> Policy {
        try policy(
            """
            [network]
            allow = ["*", "127.0.0.1"]
            bind_ports = "1024-65535"
            \(lines)
            """)
    }

    @Test func everyKindOfSocketCountsAndComesBack() async throws {
        try await TestNode.withClient(policy: self.limits("max_connections = 4")) { node, target, client in
            let port = UInt16(target.port)
            try await client.connect(1, port: target.port)
            let bound = try await client.ask(.bind(2, host: "127.0.0.1", port: 0), for: .listening(2))
            try await client.ask(.connectUDP(3, host: "127.0.0.1", port: 9), for: .udpBound())
            try await client.ask(.bindUDP(4, host: "127.0.0.1", port: 0), for: .udpBound())
            for request in [
                Request.connect(5, host: "127.0.0.1", port: port), .connectTLS(5, host: "127.0.0.1", port: port),
                .connectUDP(5, host: "127.0.0.1", port: 9), .bind(5, host: "127.0.0.1", port: 0),
                .bindUDP(5, host: "127.0.0.1", port: 0),
            ] {
                let refusal = try await client.refusal(request)
                #expect(refusal.code == .maxConnections)
            }
            // An incoming connection finds no slot, is closed, and is not reported.
            let visitor = try await TestClient.visit(port: Int(bound))
            try await visitor.closeFuture.get()
            try await client.ask(.close(3), for: .closed(3))
            try await client.connect(6, port: target.port)
            #expect(try await node.settles(sockets: 4, sessions: 1))
            await client.close()
            #expect(try await node.settles(sockets: 0, sessions: 0))
        }
    }

    /// As after an outage, in which nodes admitted more than the limit.
    @Test func ofTooManySocketsTheNewestEnd() async throws {
        try await TestNode.withClient(policy: self.limits("")) { node, target, first in
            let second = try await TestClient.connect(port: node.port)
            _ = try await second.next()
            for id in 1...3 { try await first.connect(SocketID(id), port: target.port) }
            for id in 1...2 { try await second.connect(SocketID(id), port: target.port) }
            node.server.environment.registry.endNewest(3, of: ClientID(peer: IPAddress(v4: (127, 0, 0, 1))))
            for (client, id) in [(second, 2), (second, 1), (first, 3)] {
                let (_, message) = try await client.answer(.closed(SocketID(id), .maxConnections))
                #expect(message == "more sockets of this client were open than its limit, after an outage")
            }
            #expect(try await node.settles(sockets: 2, sessions: 2))
            await second.close()
        }
    }

    @Test func dialsInFlightCount() async throws {
        let resolver = HeldResolver()
        try await TestNode.withClient(
            policy: self.limits("max_connections = 2"), resolver: resolver
        ) { node, target, client in
            let port = UInt16(target.port)
            client.send(.connect(1, host: "slow.example", port: port))
            client.send(.connect(2, host: "slow.example", port: port))
            #expect(try await client.refusal(.connect(3, host: "slow.example", port: port)).code == .maxConnections)
            #expect(try await node.settles(sockets: 2, sessions: 1))
            resolver.answerAll("127.0.0.1")
            try await client.answer(.connected(1))
            try await client.answer(.connected(2))
        }
    }

    /// The session ends while the name is looked up: its slot is released all the same, once.
    @Test func aDialThatNobodyWaitsForGivesItsSlotBack() async throws {
        let resolver = HeldResolver()
        try await TestNode.withClient(
            policy: self.limits("max_connections = 2"), resolver: resolver
        ) { node, target, client in
            client.send(.connect(1, host: "slow.example", port: UInt16(target.port)))
            let isDialing = try await node.settles(sockets: 1, sessions: 1)
            #expect(isDialing)
            await client.close()
            #expect(try await node.settles(sockets: 0, sessions: 0))
            resolver.answerAll("127.0.0.1")
            #expect(try await node.settles(sockets: 0, sessions: 0))
        }
    }

    @Test func sessionsBeyondTheLimitAreRefusedOverHTTP() async throws {
        try await TestNode.withClient(policy: self.limits("[limits]\nmax_sessions = 1")) { node, _, client in
            let refusal = await #expect(throws: TestClient.UpgradeRefused.self) {
                try await TestClient.connect(port: node.port)
            }
            #expect(refusal?.status == 429)
            #expect(refusal?.body.isEmpty == false)
            await client.close()
            #expect(try await node.settles(sockets: 0, sessions: 0))
            let next = try await TestClient.connect(port: node.port)
            await next.close()
        }
    }

    /// However quickly they are closed again; and another client's are not affected.
    @Test func sessionsBeyondTheRateAreToldWhenToComeAgain() async throws {
        let rules = try self.limits(
            "[limits]\nsessions_per_sec = 0.01\nsession_burst = 3\n[clients]\ntrusted_proxies = [\"127.0.0.1\"]")
        try await TestNode.withClient(policy: rules) { node, _, _ in
            func connect(_ address: String, isPage: Bool = false) async throws -> TestClient {
                var headers: HTTPHeaders = ["X-Forwarded-For": address]
                if isPage { headers.add(name: "Origin", value: "https://page.example") }
                return try await TestClient.connect(port: node.port, headers: headers)
            }
            for _ in 0..<3 { await (try await connect("203.0.113.7")).close() }
            let refusal = await #expect(throws: TestClient.UpgradeRefused.self) { try await connect("203.0.113.7") }
            #expect(refusal?.status == 429)
            #expect(refusal?.body.contains("connect_rate") == true)
            let page = try await connect("203.0.113.7", isPage: true)
            #expect(try await page.next() == .close(code: 1013, reason: "connect_rate"))
            await page.close()
            await (try await connect("203.0.113.8")).close()
        }
    }

    @Test func connectsBeyondTheRateAreToldWhenToComeAgain() async throws {
        let rules = try self.limits("[limits]\nconnects_per_sec = 0.01\nconnect_burst = 3")
        try await TestNode.withClient(policy: rules) { node, target, client in
            for id in 1...3 { try await client.connect(SocketID(id), port: target.port) }
            let refusal = try await client.refusal(.connect(4, host: "127.0.0.1", port: UInt16(target.port)))
            #expect(refusal.code == .connectRate)
            #expect((1...100_000).contains(refusal.retryAfterMilliseconds))
            #expect(try await node.settles(sockets: 3, sessions: 1))
        }
    }

    @Test func lookUpsBeyondTheRateAreRefused() async throws {
        let rules = try self.limits("[limits]\nresolves_per_sec = 0.01\nresolve_burst = 2")
        let names = ["a.example", "b.example", "c.example"]
        let resolver = ScriptedResolver(Dictionary(uniqueKeysWithValues: names.map { ($0, [["8.8.8.8"]]) }))
        try await TestNode.withClient(policy: rules, resolver: resolver) { _, _, client in
            for (id, name) in zip(SocketID(1)...2, names) {
                let answer = try await client.ask(.resolve(id, name: name))
                #expect(answer == .resolved(id, addresses: ["8.8.8.8"]))
            }
            #expect(try await client.refusal(.resolve(3, name: names[2])).retryAfterMilliseconds > 0)
        }
    }

    /// 2 Mbit/s are 250,000 bytes a second, after a burst of 65,536: the bytes of two sockets in any time are bounded, and both get some.
    @Test func bandwidthHoldsForAllOfAClientsSocketsTogether() async throws {
        let rules = try self.limits("max_bandwidth_mbps = 2")
        try await TestNode.withClient(policy: rules, target: .flood) { _, target, client in
            let start = ContinuousClock.now
            for id in SocketID(1)...2 { client.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port))) }
            // In all, and since both targets have begun to send.
            var total = 0
            var received: [SocketID: Int] = [:]
            var begun: Set<SocketID> = []
            while received.values.reduce(0, +) < 300_000 {
                guard case .data(let id, let piece) = try await client.answer() else { continue }
                total += piece.readableBytes
                begun.insert(id)
                if begun.count == 2 { received[id, default: 0] += piece.readableBytes }
                client.send(.window(id, bytes: UInt32(piece.readableBytes)))
            }
            let elapsed = ContinuousClock.now - start
            let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
            // A read in progress when the budget runs out is charged after it: one for each socket.
            let bound = 65_536 + 250_000 * seconds + 2 * 16_384
            #expect(Double(total) <= bound, "\(received) of \(total) in \(seconds) s")
            let (one, two) = (received[1, default: 0], received[2, default: 0])
            // Even, except for the share that a target that is slow to send leaves to the other.
            #expect(min(one, two) * 5 > max(one, two), "\(received)")
        }
    }

    /// Sockets with silent targets also queue for the bandwidth; the one with data is read all the same.
    @Test func aSilentSocketDoesNotKeepTheOthersFromTheBandwidth() async throws {
        let rules = try self.limits("max_bandwidth_mbps = 2")
        let echo = try await TestTarget.start(.echo)
        try await TestNode.withClient(policy: rules, target: .flood) { _, flood, client in
            let silent: ClosedRange<SocketID> = 1...5
            for id in silent { try await client.connect(id, port: echo.port) }
            for id in silent { client.send(.send(id, Pattern.bytes(from: 0, count: 20_000))) }
            let busy: SocketID = 6
            client.send(.connect(busy, host: "127.0.0.1", port: UInt16(flood.port)))
            var received: [SocketID: Int] = [:]
            while received[busy, default: 0] < 300_000 || silent.contains(where: { received[$0, default: 0] < 20_000 })
            {
                guard case .data(let id, let piece) = try await client.answer() else { continue }
                received[id, default: 0] += piece.readableBytes
                client.send(.window(id, bytes: UInt32(piece.readableBytes)))
            }
        }
        await echo.stop()
    }

    @Test func theDaysBytesEndTheSocketsThatCarryThem() async throws {
        let rules = try self.limits("[limits]\nbytes_per_day = \"256KiB\"")
        try await TestNode.withClient(policy: rules, target: .flood) { node, target, client in
            try await client.connect(1, port: target.port)
            var received = 0
            loop: while true {
                switch try await client.answer() {
                case .data(1, let piece):
                    received += piece.readableBytes
                    client.send(.window(1, bytes: UInt32(piece.readableBytes)))
                case .closed(1, let reason, _):
                    #expect(reason == .byteQuota)
                    break loop
                case let other: throw UnexpectedEvent(event: other)
                }
            }
            #expect(received == 256 << 10)
            #expect(
                try await client.refusal(.connect(2, host: "127.0.0.1", port: UInt16(target.port))).code == .byteQuota)
            #expect(try await node.settles(sockets: 0, sessions: 1))
        }
    }
}
