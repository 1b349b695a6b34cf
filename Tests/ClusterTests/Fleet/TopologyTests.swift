import NIOCore
import RedisClient
import Testing
import WasmnetCluster
import WasmnetProtocol
import WasmnetQuota
import WasmnetTesting

extension Cluster {
    /// Limits kept under Sentinel and in a Redis Cluster, while these change beneath them.
    @Suite struct TopologyTests {
        private static let limit = 12
        private static let policy = "[network]\nallow = [\"127.0.0.1\"]\nmax_connections = \(limit)"

        private func hammer(
            _ url: String, for time: TimeAmount, deadline: TimeAmount, bound: Int,
            _ body: @escaping @Sendable (Fleet) async throws -> Void
        ) async throws {
            try await Fleet.run(policy: Self.policy, deadline: deadline, url: url) { fleet in
                let tally = try await fleet.hammer(width: 20, for: time) { try await body(fleet) }
                #expect(tally.lostSessions == 0)
                #expect(tally.ended.isEmpty && tally.opened > 50, "\(tally)")
                #expect(tally.refusals.keys.allSatisfy { $0 == .maxConnections || $0 == .overloaded }, "\(tally)")
                let peak = fleet.meter.reading.surePeak
                #expect(peak <= bound)
                try await fleet.isValid()
            }
        }

        @Test func threeSentinelsFailOverUnderLoad() async throws {
            try await withServer { master in
                let following = "port PORT\nrepl-diskless-sync-delay 0\nreplicaof 127.0.0.1 \(master.port)"
                try await withServer(following) { replica in
                    _ = await replica.output.shows("MASTER <-> REPLICA sync: Finished with success")
                    var sentinels: [RedisServer] = []
                    for _ in 0..<3 {
                        sentinels.append(
                            try await RedisServer.start(
                                """
                                port PORT
                                sentinel monitor main 127.0.0.1 \(master.port) 2
                                sentinel down-after-milliseconds main 500
                                sentinel failover-timeout main 2000
                                """, sentinel: true))
                    }
                    for sentinel in sentinels {
                        _ = await sentinel.output.shows("+slave slave 127.0.0.1:\(replica.port)")
                        for other in sentinels where other.port != sentinel.port {
                            _ = await sentinel.output.shows("127.0.0.1 \(other.port)")
                        }
                    }
                    let url =
                        "redis+sentinel://" + sentinels.map { "127.0.0.1:\($0.port)" }.joined(separator: ",") + "/main"
                    var failure: (any Error)?
                    do {
                        try await self.hammer(
                            url, for: .seconds(12), deadline: .milliseconds(50), bound: Self.limit + 2 * Self.limit / 3
                        ) { fleet in
                            try await Task.sleep(for: .seconds(1))
                            await master.kill()
                            try await fleet.isDegraded()
                            _ = await replica.output.shows("MASTER MODE enabled")
                            try await fleet.isValid()
                        }
                    } catch {
                        failure = error
                    }
                    for sentinel in sentinels { await sentinel.stop() }
                    if let failure { throw failure }
                }
            }
        }

        @Test func aSlotOfAClusterMovesUnderLoad() async throws {
            let cluster = try await RedisClusterServers.start()
            let key = RedisKeys.leases(.socket, of: ClientID(text: "a:127.0.0.1"))
            let slot = HashSlot.of(key)
            let (source, target) = (slot / 5462, (slot / 5462 + 1) % 3)
            var failure: (any Error)?
            do {
                let url = "redis+cluster://" + cluster.nodes.map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
                try await self.hammer(url, for: .seconds(8), deadline: .seconds(10), bound: Self.limit) { fleet in
                    try await Task.sleep(for: .seconds(1))
                    for (from, to) in [(source, target), (target, source)] {
                        try await cluster.open(slot, from: from, to: to)
                        // Keys appear and vanish meanwhile, so until none is left.
                        while true {
                            let reply = try await cluster.nodes[from].command(
                                "CLUSTER", "GETKEYSINSLOT", RedisArgument(slot), 100)
                            let keys = reply.array?.compactMap(\.string) ?? []
                            guard !keys.isEmpty else { break }
                            for key in keys {
                                try await cluster.migrate(key, from: from, to: to)
                                try await Task.sleep(for: .milliseconds(20))
                            }
                        }
                        try await cluster.assign(slot, from: from, to: to)
                        try await Task.sleep(for: .seconds(1))
                    }
                }
            } catch {
                failure = error
            }
            await cluster.stop()
            if let failure { throw failure }
        }
    }
}
