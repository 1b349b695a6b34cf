import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

extension Cluster {
    /// Three nodes, one client that asks each for ten times what it may have in all; what counts is what the target sees.
    @Suite struct LimitsTests {
        @Test func openSocketsNeverExceedTheLimit() async throws {
            let limit = 12
            try await Fleet.run(policy: "[network]\nallow = [\"127.0.0.1\"]\nmax_connections = \(limit)") { fleet in
                let tally = try await fleet.hammer(width: limit * 10 / 3, for: .seconds(20))
                let peak = fleet.meter.reading.peak()
                #expect(peak <= limit)
                #expect(peak >= limit - 2)
                #expect(tally.opened > 300, "\(tally)")
                #expect(tally.refusals.keys.allSatisfy { $0 == .maxConnections }, "\(tally)")
                #expect(tally.lostSessions == 0 && tally.ended.isEmpty)
            }
        }

        @Test func connectsStayWithinRateAndBurst() async throws {
            let (rate, burst) = (30.0, 20)
            let policy = """
                [network]
                allow = ["127.0.0.1"]
                max_connections = 0
                [limits]
                connects_per_sec = \(rate)
                connect_burst = \(burst)
                """
            try await Fleet.run(policy: policy) { fleet in
                let tally = try await fleet.hammer(
                    width: 30, for: .seconds(20), hold: .milliseconds(20), pause: .milliseconds(300))
                let log = fleet.meter.reading
                // Requests may wait 250 ms on a node before they are used, and a dial takes its time.
                #expect(log.burst(ofConnectsPerSecond: rate) <= Double(burst) + rate * 0.35)
                #expect(Double(tally.opened) >= 0.8 * rate * 20, "\(tally)")
                #expect(tally.refusals.keys.allSatisfy { $0 == .connectRate }, "\(tally)")
            }
        }
    }
}
