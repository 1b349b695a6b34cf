import NIOCore
import RedisClient
import Testing
import WasmnetCluster
import WasmnetProtocol
import WasmnetTesting

extension Cluster {
    /// The limits when Redis, or the path to it, is gone or faulty: no session is lost, and the open sockets stay within a
    /// bound.
    @Suite struct LostRedisTests {
        private static let limit = 12
        /// While Redis does not answer, one node may keep all slots, and the two others admit a third of them.
        private static let staticBound = limit + 2 * limit / 3
        private static let policy = "[network]\nallow = [\"127.0.0.1\"]\nmax_connections = \(limit)"

        /// One client floods three nodes while Redis has a fault.
        ///
        /// - Parameter bound: the most sockets that may be open at one time.
        private func hammer(
            for time: TimeAmount, bound: Int, policy: String = Self.policy,
            _ body: @escaping @Sendable (Fleet) async throws -> Void
        ) async throws {
            try await Fleet.run(policy: policy) { fleet in
                let tally = try await fleet.hammer(width: 20, for: time) { try await body(fleet) }
                #expect(tally.lostSessions == 0)
                // Sockets opened on credit may end after an outage.
                #expect(bound > Self.limit || tally.ended.isEmpty, "\(tally)")
                #expect(tally.refusals.keys.allSatisfy { $0 == .maxConnections || $0 == .overloaded }, "\(tally)")
                #expect(tally.opened > 50, "\(tally)")
                let peak = fleet.meter.reading.surePeak
                #expect(peak <= bound)
                try await fleet.isValid()
            }
        }

        @Test func scriptsThatAreForgottenAreSentAgain() async throws {
            try await self.hammer(for: .seconds(4), bound: Self.limit) { fleet in
                for _ in 0..<10 {
                    try await fleet.redis.command("SCRIPT", "FLUSH")
                    try await Task.sleep(for: .milliseconds(200))
                }
                #expect(fleet.nodes.allSatisfy { !$0.isOut })
            }
        }

        @Test func killedConnectionsComeBack() async throws {
            try await self.hammer(for: .seconds(6), bound: Self.limit) { fleet in
                for _ in 0..<10 {
                    try await fleet.redis.command("CLIENT", "KILL", "TYPE", "normal")
                    try await Task.sleep(for: .milliseconds(300))
                }
            }
        }

        @Test(arguments: [FaultProxy.Fault.delay(.milliseconds(15)), .split])
        func slowAndSplitRepliesKeepTheLimit(fault: FaultProxy.Fault) async throws {
            try await self.hammer(for: .seconds(5), bound: Self.limit) { fleet in fleet.proxy.set(fault) }
        }

        @Test func repliesCutAmidstKeepTheLimit() async throws {
            try await self.hammer(for: .seconds(6), bound: Self.limit) { fleet in
                fleet.proxy.set(.split)
                for _ in 0..<20 {
                    try await Task.sleep(for: .milliseconds(150))
                    fleet.proxy.cut()
                }
                fleet.proxy.set(.none)
            }
        }

        /// Slow answers, and none for a moment, are not an outage: no node opens on credit.
        @Test(arguments: [true, false]) func aRedisThatStuttersKeepsTheLimit(stops: Bool) async throws {
            try await self.hammer(for: .seconds(6), bound: Self.limit) { fleet in
                for _ in 0..<4 {
                    try await Task.sleep(for: .milliseconds(700))
                    if stops { fleet.redis.pause() } else { fleet.proxy.set(.delay(.milliseconds(400))) }
                    try await Task.sleep(for: .milliseconds(500))
                    fleet.redis.resume()
                    fleet.proxy.set(.none)
                }
                #expect(fleet.nodes.allSatisfy { !$0.isOut })
            }
        }

        @Test func aRedisThatDoesNotAnswerMeansTheStaticMode() async throws {
            try await self.hammer(for: .seconds(10), bound: Self.staticBound) { fleet in
                try await Task.sleep(for: .seconds(1))
                fleet.proxy.set(.silence)
                try await fleet.isDegraded()
                try await Task.sleep(for: .seconds(2))
                fleet.proxy.set(.none)
                try await fleet.isValid()
            }
        }

        @Test func aRestartedEmptyRedisIsToldAgain() async throws {
            try await self.hammer(for: .seconds(10), bound: Self.staticBound) { fleet in
                try await Task.sleep(for: .seconds(1))
                await fleet.redis.kill()
                try await fleet.isDegraded()
                try await Task.sleep(for: .seconds(1))
                try await fleet.redis.launch()
                try await fleet.isValid()
            }
        }

        @Test func lostDataHoldsGrowthUntilItIsToldAgain() async throws {
            try await self.hammer(for: .seconds(8), bound: Self.limit) { fleet in
                for _ in 0..<4 {
                    try await Task.sleep(for: .seconds(1))
                    try await fleet.redis.command("FLUSHALL")
                }
            }
        }

        /// The limit applies although grants since the copy are not in it, and growth is back as soon as all have declared what they hold.
        @Test func anOldCopyOfTheDataCountsForNothing() async throws {
            try await self.hammer(for: .seconds(9), bound: Self.limit) { fleet in
                try await Task.sleep(for: .seconds(1))
                try await fleet.redis.command("SAVE")
                try await Task.sleep(for: .seconds(1))
                await fleet.redis.kill()
                try await fleet.redis.launch()
                try await fleet.comes(within: .seconds(5)) { $0.nodes.allSatisfy { ($0.cluster?.losses ?? 0) > 0 } }
                try await fleet.comes(within: .seconds(5)) { $0.nodes.allSatisfy { $0.cluster?.rollCalls == 0 } }
            }
        }

        /// Longer than a lease, and no node could renew one: the first to be heard takes nothing from the others.
        @Test func aRedisThatStandsStillForLongTakesNothingAway() async throws {
            let policy = Self.policy + "\n[redis_failure]\ndefault = \"closed\""
            try await self.hammer(for: .seconds(24), bound: Self.limit, policy: policy) { fleet in
                try await Task.sleep(for: .seconds(1))
                fleet.redis.pause()
                try await Task.sleep(for: .seconds(18))
                fleet.redis.resume()
                try await fleet.isValid()
            }
        }

        @Test func aRedisWithoutMemoryMeansTheStaticMode() async throws {
            try await self.hammer(for: .seconds(8), bound: Self.staticBound) { fleet in
                try await Task.sleep(for: .seconds(1))
                try await fleet.redis.command("CONFIG", "SET", "maxmemory", "1")
                try await fleet.isDegraded()
                try await fleet.redis.command("CONFIG", "SET", "maxmemory", "0")
                try await fleet.isValid()
            }
        }

        @Test func aMasterThatBecomesAReplicaMeansTheStaticMode() async throws {
            try await self.hammer(for: .seconds(8), bound: Self.staticBound) { fleet in
                try await Task.sleep(for: .seconds(1))
                try await fleet.redis.command("REPLICAOF", "127.0.0.1", "1")
                try await fleet.isDegraded()
                try await fleet.redis.command("REPLICAOF", "NO", "ONE")
                try await fleet.isValid()
            }
        }
    }
}
