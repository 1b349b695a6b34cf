import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

extension Cluster {
    @Suite struct LateRedisTests {
        private static let limit = 12
        private static let policy = "[network]\nallow = [\"127.0.0.1\"]\nmax_connections = \(limit)"

        /// With `--redis-optional`. A node that knows no other admits the whole limit; once Redis is there, what is too much ends.
        @Test func nodesThatStartWithoutRedisAdmitTheLimitEachUntilItComes() async throws {
            try await Fleet.run(policy: Self.policy, isRedisLate: true) { fleet in
                // The hammers hold what they open, so a peak is what is open at once.
                let tally = try await fleet.hammer(width: 20, for: .seconds(15), hold: .seconds(30)) {
                    try await fleet.isDegraded()
                    try await fleet.comes(within: .seconds(5)) { $0.meter.reading.open >= 3 * Self.limit }
                    // Time for more to open, if it could.
                    try await Task.sleep(for: .milliseconds(500))
                    #expect(fleet.meter.reading.open == 3 * Self.limit)
                    try await fleet.redis.launch()
                    try await fleet.comes(within: .seconds(10)) {
                        $0.nodes.allSatisfy { !$0.isOut } && $0.meter.reading.open == Self.limit
                    }
                    try await Task.sleep(for: .milliseconds(500))
                    #expect(fleet.meter.reading.open == Self.limit)
                }
                #expect(tally.lostSessions == 0)
                let excess: [ReasonCode: Int] = [.maxConnections: 2 * Self.limit]
                #expect(tally.ended == excess, "\(tally)")
                #expect(tally.refusals.keys.allSatisfy { $0 == .maxConnections || $0 == .overloaded }, "\(tally)")
                #expect(fleet.meter.reading.seenPeak == 3 * Self.limit)
            }
        }
    }
}
