import NIOConcurrencyHelpers
import NIOCore
import Testing
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay
import WasmnetTesting

extension Cluster {
    /// Three nodes, one client that requests ten times its total limit from each; the target's count decides.
    @Suite struct LimitsTests {
        /// Clocks of nodes that agree, and of nodes that are two hours apart.
        private static let clocks: [[any RelayClock]] = [
            [], [SkewedClock(offset: .seconds(-3600)), SystemClock(), SkewedClock(offset: .seconds(3600))],
        ]

        @Test(arguments: clocks.indices) func openSocketsNeverExceedTheLimit(clocks: Int) async throws {
            let limit = 12
            let policy = "[network]\nallow = [\"127.0.0.1\"]\nmax_connections = \(limit)"
            try await Fleet.run(policy: policy, clocks: Self.clocks[clocks], deadline: .seconds(10)) { fleet in
                let tally = try await fleet.hammer(width: limit * 10 / 3, for: .seconds(20))
                let log = fleet.meter.reading
                #expect(log.surePeak <= limit)
                #expect(log.seenPeak >= limit - 2)
                #expect(tally.opened > 200, "\(tally)")
                #expect(tally.refusals.keys.allSatisfy { $0 == .maxConnections }, "\(tally)")
                #expect(tally.lostSessions == 0 && tally.ended.isEmpty)
            }
        }

        @Test(arguments: clocks.indices) func connectsStayWithinRateAndBurst(clocks: Int) async throws {
            let (rate, burst) = (30.0, 20)
            let policy = """
                [network]
                allow = ["127.0.0.1"]
                max_connections = 0
                [limits]
                connects_per_sec = \(rate)
                connect_burst = \(burst)
                """
            try await Fleet.run(policy: policy, clocks: Self.clocks[clocks], deadline: .seconds(10)) { fleet in
                let tally = try await fleet.hammer(
                    width: 30, for: .seconds(20), hold: .milliseconds(20), pause: .milliseconds(300))
                let log = fleet.meter.reading
                // Requests may wait 250 ms on a node before they are used, and a dial takes time.
                #expect(log.burst(ofConnectsPerSecond: rate) <= Double(burst) + rate * 0.35)
                #expect(Double(tally.opened) >= 0.6 * rate * 20, "\(tally)")
                #expect(tally.refusals.keys.allSatisfy { $0 == .connectRate }, "\(tally)")
            }
        }

        /// Sixty sockets on three nodes at once: not one byte more than the day's, either way.
        @Test(arguments: [true, false]) func theDaysBytesEndAtTheByte(up: Bool) async throws {
            let limit = 8 << 20
            let policy = """
                [network]
                allow = ["127.0.0.1"]
                max_connections = 0
                [limits]
                bytes_per_day = \(limit)
                """
            try await Fleet.run(policy: policy, deadline: .seconds(10)) { fleet in
                let sum = NIOLockedValueBox(0)
                let target = try await TestTarget.start(up ? .sum(sum) : .flood)
                let received = try await withThrowingTaskGroup(of: Int.self) { tasks in
                    for port in fleet.nodes.map(\.port) {
                        tasks.addTask { try await DaySpender.run(node: port, target: target.port, sockets: 20, up: up) }
                    }
                    return try await tasks.reduce(0, +)
                }
                if up { try await fleet.comes { _ in target.openedCount > 0 && target.openCount == 0 } }
                let passed = up ? sum.withLockedValue { $0 } : received
                #expect(passed <= limit, "\(passed)")
                // A node may keep its last lease when its own sockets no longer request it.
                #expect(passed >= limit / 2, "\(passed)")
                await target.stop()
            }
        }

        @Test(arguments: clocks.indices) func bytesStayWithinRateAndBurst(clocks: Int) async throws {
            let seconds: Int64 = 20
            let rate = 1_000_000.0
            let policy = """
                [network]
                allow = ["127.0.0.1"]
                max_bandwidth_mbps = \(rate * 8 / 1_000_000)
                """
            try await Fleet.run(policy: policy, clocks: Self.clocks[clocks], deadline: .seconds(10)) { fleet in
                let target = fleet.meter.port
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for port in fleet.nodes.map(\.port) {
                        tasks.addTask { try await Uploader.run(node: port, target: target, for: .seconds(seconds)) }
                    }
                    try await tasks.waitForAll()
                }
                let log = fleet.meter.reading
                let burst = log.burst(ofBytesPerSecond: rate)
                let full = try #require(TokenBucket.Rate(bytesPerSecond: rate, burst: 0)).burst
                // Grants are valid for 250 ms; and each node reads a little before it has an answer.
                #expect(burst <= Double(full) + rate * 0.25 + 3 * 48 * 1024)
                let total = Double(log.bytes.reduce(0) { $0 + $1.count })
                #expect(total >= 0.6 * rate * Double(seconds), "\(total) bytes, burst \(burst)")
            }
        }
    }
}
