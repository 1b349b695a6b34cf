import NIOCore
import RedisClient
import Testing
import Wasmnet
import WasmnetCluster
import WasmnetPolicy
import WasmnetProtocol
import WasmnetTesting

extension Cluster {
    /// How soon all nodes enforce an entry that one of them received.
    @Suite struct DenylistTests {
        private static let policy = "[network]\nallow = [\"127.0.0.0/8\"]\nmax_connections = 1000\n"

        /// A client on each node but the first.
        private func clients(_ fleet: Fleet) async throws -> [TestClient] {
            var clients: [TestClient] = []
            for node in fleet.nodes.dropFirst() {
                let client = try await TestClient.connect(port: node.port)
                _ = try await client.next()
                clients.append(client)
            }
            return clients
        }

        /// A separate loopback address for each trial.
        private func host(_ trial: Int) -> String { "127.1.\(trial / 250).\(trial % 250 + 1)" }

        private func connect(_ clients: [TestClient], _ trial: Int, to target: TestTarget) async throws {
            for client in clients {
                client.send(.connect(SocketID(trial + 1), host: self.host(trial), port: UInt16(target.port)))
                try await client.expect(.connected())
            }
        }

        /// Denies the trial's address on the first node; returns how long until each client's socket has ended.
        private func deny(_ trial: Int, _ fleet: Fleet, _ clients: [TestClient]) async throws -> [Duration] {
            let start = ContinuousClock.now
            _ = try await fleet.nodes[0].server.denylistStore.add(try DenylistSubject(self.host(trial)))
            return try await self.ends(trial, since: start, clients)
        }

        private func ends(
            _ trial: Int, since start: ContinuousClock.Instant, _ clients: [TestClient]
        ) async throws -> [Duration] {
            try await withThrowingTaskGroup(of: Duration.self) { tasks in
                for client in clients {
                    tasks.addTask {
                        try await client.expect(.closed(SocketID(trial + 1), .denylisted))
                        return ContinuousClock.now - start
                    }
                }
                return try await tasks.reduce(into: []) { $0.append($1) }
            }
        }

        /// The list in Redis once it is the one that a test waits for.
        private func list(_ fleet: Fleet, _ fits: (Denylist) -> Bool) async throws -> Denylist {
            let end = ContinuousClock.now + .seconds(30)
            while ContinuousClock.now < end {
                let list = try await fleet.nodes[0].server.denylistStore.read()
                if fits(list) { return list }
                try await Task.sleep(for: .milliseconds(5))
            }
            throw ChannelError.eof
        }

        private func withFleet(_ body: (Fleet, TestTarget) async throws -> Void) async throws {
            let target = try await TestTarget.start(.echo, host: "0.0.0.0")
            try await Fleet.run(policy: Self.policy, deadline: .seconds(10)) { try await body($0, target) }
            await target.stop()
        }

        @Test func liveSocketsEndOnAllNodesWithin50Milliseconds() async throws {
            try await self.withFleet { fleet, target in
                let clients = try await self.clients(fleet)
                var times: [Duration] = []
                for trial in 0..<200 {
                    try await self.connect(clients, trial, to: target)
                    times += try await self.deny(trial, fleet, clients)
                }
                times.sort()
                let (p50, p99) = (times[times.count / 2], times[times.count * 99 / 100])
                print("denylist add to the socket's end on other nodes, \(times.count) times: p50 \(p50), p99 \(p99)")
                #expect(p99 <= .milliseconds(50))
                for client in clients { await client.close() }
            }
        }

        @Test func aLostSubscriptionOrMessageCostsSixSecondsAtMost() async throws {
            try await self.withFleet { fleet, target in
                let clients = try await self.clients(fleet)
                try await self.connect(clients, 0, to: target)
                try await fleet.redis.command("CLIENT", "KILL", "TYPE", "pubsub")
                let killed = try await self.deny(0, fleet, clients)
                // The feeds read the list again at the latest when they check; then they resubscribe.
                try await self.connect(clients, 1, to: target)
                fleet.proxy.set(.theft)
                let swallowed = try await self.deny(1, fleet, clients)
                #expect(fleet.proxy.stolen > 0)
                print("with subscribers killed: \(killed), with messages swallowed: \(swallowed)")
                #expect((killed + swallowed).allSatisfy { $0 <= .seconds(6) })
                for client in clients { await client.close() }
            }
        }

        @Test func aRedisThatComesBackEmptyTakesNothingOff() async throws {
            try await self.withFleet { fleet, target in
                let clients = try await self.clients(fleet)
                try await self.connect(clients, 0, to: target)
                _ = try await self.deny(0, fleet, clients)
                let lists = fleet.nodes.map(\.server.denylistInForce)
                let version = try await self.list(fleet) { $0.count == 1 }.version
                try await fleet.comes { _ in lists.allSatisfy { $0.list.version == version } }
                // Twice: to be written back, and to be merged with a separate addition.
                for (address, total) in [(nil, 1), (self.host(7), 2)] as [(String?, Int)] {
                    try await fleet.redis.command("FLUSHALL")
                    if let address {
                        _ = try await fleet.nodes[0].server.denylistStore.add(try DenylistSubject(address))
                    }
                    for client in clients {
                        client.send(.connect(SocketID(98 + total), host: self.host(0), port: UInt16(target.port)))
                        let refusal = try await client.expect(.refused())
                        #expect(refusal.code == .denylisted)
                    }
                    let list = try await self.list(fleet) { $0.count == total && $0.version >= version }
                    #expect(list.version == version + Int64(total - 1))
                    try await fleet.comes { _ in
                        lists.allSatisfy { $0.list.digest == list.digest && $0.list.version == list.version }
                    }
                }
                for client in clients { await client.close() }
            }
        }
    }
}
