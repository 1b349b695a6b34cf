import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// reserve.lua: requests of a rate and the day; register.lua; and the server's own clock.
    @Suite struct RateScriptTests {
        private let pace = GCRA.Pace(perSecond: 10, burst: 4)

        private func ask(_ requests: Int, needed: Int, _ sequence: Int64 = 1) -> ScriptCalls.Reserve {
            ScriptCalls.Reserve(sequence: sequence, pace: self.pace, requests: requests, requestsNeeded: needed)
        }

        @Test func grantsTheBurstAndThenThePace() async throws {
            try await withScripts { scripts in
                let first = try await scripts.reserve(ask(3, needed: 1))
                #expect(first.requests == 3 && first.missing == .nothing && first.wait == 0)
                let second = try await scripts.reserve(ask(3, needed: 1))
                #expect(second.requests == 1 && second.missing == .nothing && second.wait == 100_000)
                let refused = try await scripts.reserve(ask(3, needed: 1))
                #expect(refused.requests == 0 && refused.missing == .requests && refused.wait == 100_000)
                scripts.clock.advance(.milliseconds(99))
                #expect(try await scripts.reserve(ask(1, needed: 1)).wait == 1000)
                scripts.clock.advance(.milliseconds(1))
                #expect(try await scripts.reserve(ask(1, needed: 1)).requests == 1)
                // No request waits: zero is not a refusal.
                #expect(try await scripts.reserve(ask(1, needed: 0)).missing == .nothing)
            }
        }

        /// They passed while Redis did not answer: at most two bursts of them are paid, before any other passes.
        @Test func whatIsOwedIsPaidFirst() async throws {
            try await withScripts { scripts in
                var call = ask(4, needed: 1)
                call.owed = 3
                #expect(try await scripts.reserve(call).requests == 1)
                call.owed = 1000
                let refused = try await scripts.reserve(call)
                #expect(refused.requests == 0 && refused.missing == .requests && refused.wait == 900_000)
                call.owed = 0
                scripts.clock.advance(.milliseconds(800))
                #expect(try await scripts.reserve(call).wait == 100_000)
                scripts.clock.advance(.milliseconds(100))
                #expect(try await scripts.reserve(call).requests == 1)
                // Also without a request.
                call = ask(0, needed: 0)
                call.owed = 1
                _ = try await scripts.reserve(call)
                scripts.clock.advance(.milliseconds(100))
                #expect(try await scripts.reserve(ask(1, needed: 1)).missing == .requests)
            }
        }

        @Test func connectsAndResolvesAreCountedApart() async throws {
            try await withScripts { scripts in
                let connects = try await scripts.reserve(ask(9, needed: 1))
                #expect(connects.requests == 4)
                var resolve = ask(9, needed: 1)
                resolve.isResolve = true
                #expect(try await scripts.reserve(resolve).requests == 4)
            }
        }

        @Test func aRequestWithoutItsSlotIsNotCounted() async throws {
            try await withScripts { scripts in
                var call = ask(5, needed: 4)
                (call.limit, call.target, call.open, call.needsSlot) = (2, 5, 1, true)
                // One slot is free: one of the four that wait, and the one for later.
                #expect(try await scripts.reserve(call).requests == 2)
                (call.sequence, call.open) = (2, 2)
                let refused = try await scripts.reserve(call)
                #expect(refused.missing == .slots && refused.requests == 0)
                #expect(try await scripts.reserve(ask(9, needed: 0)).requests == 2)
            }
        }

        @Test func aSlotWithoutItsRequestIsNotTaken() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask(4, needed: 0))
                var call = ask(1, needed: 1)
                (call.limit, call.target, call.needsSlot) = (2, 1, true)
                let refused = try await scripts.reserve(call)
                #expect(refused.missing == .requests && refused.granted == 0 && refused.room == 2)
            }
        }

        @Test func anArrivalThatNoRequestCanHaveLeftIsCutDown() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask(4, needed: 0))
                scripts.clock.advance(.seconds(-3600))
                let refused = try await scripts.reserve(ask(1, needed: 1))
                #expect(refused.missing == .requests && refused.wait == 100_000)
                scripts.clock.advance(.milliseconds(100))
                #expect(try await scripts.reserve(ask(1, needed: 1)).requests == 1)
            }
        }

        @Test func theDayComesFirst() async throws {
            try await withScripts { scripts in
                _ = try await scripts.grant(.init(dayLimit: 1000, dayPassed: 1000))
                var call = ask(1, needed: 1)
                (call.limit, call.target, call.needsSlot, call.dayLimit) = (1, 1, true, 1001)
                #expect(try await scripts.reserve(call).missing == .nothing)
                (call.sequence, call.open, call.target, call.dayLimit) = (2, 1, 2, 1000)
                let refused = try await scripts.reserve(call)
                let dayBytesLeft = 86_400_000_000 - scripts.clock.now().microseconds % 86_400_000_000
                #expect(refused.missing == .dayBytes && refused.wait == dayBytesLeft)
                scripts.clock.advance(.microseconds(dayBytesLeft))
                call.sequence = 3
                #expect(try await scripts.reserve(call).missing == .slots)
            }
        }

        @Test func anOperatorsRateComesFirst() async throws {
            try await withScripts { scripts in
                try await scripts.override("connects_burst", 2)
                try await scripts.override("connects_interval", 1_000_000)
                #expect(try await scripts.reserve(ask(9, needed: 1)).requests == 2)
                #expect(try await scripts.reserve(ask(1, needed: 1)).wait == 1_000_000)
                try await scripts.override("bytes_per_day", 10)
                _ = try await scripts.grant(.init(dayLimit: 1000, dayPassed: 10))
                var call = ask(0, needed: 0)
                call.dayLimit = 1000
                #expect(try await scripts.reserve(call).missing == .dayBytes)
            }
        }

        @Test func nodesAreKnownWhileTheySaySo() async throws {
            try await withScripts { scripts in
                let ttl = QuotaDuration.seconds(15)
                let count = try await scripts.register("a", timeToLive: ttl, ["version", "1"])
                #expect(count == 1)
                scripts.clock.advance(.seconds(10))
                #expect(try await scripts.register("b", timeToLive: ttl, ["version", "2"]) == 2)
                #expect(try await scripts.redis.send(["HGET", .string(RedisKeys.node("b")), "version"]).string == "2")
                scripts.clock.advance(.seconds(5))
                #expect(try await scripts.register("b", timeToLive: ttl, ["version", "2"]) == 1)
                #expect(try await scripts.register("b", timeToLive: ttl, []) == 0)
                #expect(try await scripts.redis.send(["EXISTS", .string(RedisKeys.node("b"))]).int == 0)
            }
        }

        @Test func theServersClockDecidesAndScriptsComeBackAfterAFlush() async throws {
            try await withRedis { _, redis in
                let keys = [RedisKeys.generation(0), RedisKeys.epochs(0)].map { RedisArgument.string($0) }
                let words: [RedisArgument] = [0, 0, 1000, 0, 0]
                let first = try await redis.evaluate(ClusterScripts.generation, keys: keys, arguments: words)
                try await redis.send(["SCRIPT", "FLUSH"])
                let second = try await redis.evaluate(ClusterScripts.generation, keys: keys, arguments: words)
                let time = try await redis.send(["TIME"]).array?.first?.int64 ?? 0
                #expect(first.array?.first == second.array?.first)
                let generation = (first.array?.first?.int64 ?? 0) / 1_000_000
                #expect(generation > 0 && abs(time - generation) < 60)
            }
        }
    }
}
