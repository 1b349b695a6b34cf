import Dispatch
import NIOCore
import NIOHTTP1
import Testing
import Wasmnet
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// One client's slow names and the others, on a real node.
@Suite(.timeLimit(.minutes(1))) struct LookupTests {
    /// Every name is 127.0.0.1; those that begin with `slow` take until they are released.
    private func resolver(_ gate: DispatchSemaphore) -> SystemResolver {
        SystemResolver { name in
            if name.hasPrefix("slow") { gate.wait() }
            return [IPAddress(v4: (127, 0, 0, 1))]
        }
    }

    private func policy(timeout: Double) throws -> Policy {
        try WireTests.policy(
            """
            network.allow = ["*", "127.0.0.1"]
            network.connection_timeout_secs = \(timeout)
            clients.trusted_proxies = ["127.0.0.0/8"]
            """)
    }

    private func client(_ address: String, of node: TestNode) async throws -> TestClient {
        let client = try await TestClient.connect(port: node.port, headers: ["X-Forwarded-For": address])
        _ = try await client.next()  // hello
        return client
    }

    private func comes(_ resolver: SystemResolver, waiting: Int, busy: Int) async throws -> Bool {
        for _ in 0..<1000 {
            if resolver.load == (waiting, busy) { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test func oneClientsSlowNamesHoldUpNobodyElse() async throws {
        let gate = DispatchSemaphore(value: 0)
        defer { for _ in 0..<300 { gate.signal() } }
        let resolver = self.resolver(gate)
        try await TestNode.withClient(policy: self.policy(timeout: 60), resolver: resolver) { node, target, other in
            var flood: [TestClient] = []
            for session in 1...4 {
                let client = try await self.client("203.0.113.1", of: node)
                for id in 1...64 { client.send(.resolve(SocketID(id), name: "slow\(session)x\(id).example")) }
                flood.append(client)
            }
            // Four sessions of one client: 256 lookups, of which this many are kept.
            #expect(try await self.comes(resolver, waiting: 128, busy: 8))
            try await other.ask(.resolve(1, name: "quick.example"), for: .resolved())
            try await other.connect(2, "target.example", port: target.port)
            // Its own lookups end with it; a running one continues, and delays no other client either.
            for client in flood { await client.close() }
            #expect(try await self.comes(resolver, waiting: 0, busy: 8))
            try await other.connect(3, "target.example", port: target.port)
        }
    }

    @Test func aNameWithoutAnAnswerIsRefusedInTime() async throws {
        let gate = DispatchSemaphore(value: 0)
        defer { gate.signal() }
        let resolver = self.resolver(gate)
        try await TestNode.withClient(policy: self.policy(timeout: 0.2), resolver: resolver) { _, _, client in
            let refusal = try await client.refusal(.connect(1, host: "slow.example", port: 80))
            #expect(refusal.code == .nameNotFound && refusal.retryAfterMilliseconds > 0)
        }
        #expect(resolver.load == (0, 1))
    }
}
