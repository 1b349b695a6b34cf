import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// grant.lua.
    @Suite struct GrantScriptTests {
        private let rate = TokenBucket.Rate(bytesPerSecond: 1000, burst: 500)

        @Test func drawsFromABucketThatFillsAtTheRate() async throws {
            try await withScripts { scripts in
                let first = try await scripts.grant(.init(rate: rate, wanted: 400))
                #expect(first.bytes == 400 && first.wait == 0)
                let second = try await scripts.grant(.init(rate: rate, wanted: 400))
                #expect(second.bytes == 100 && second.wait == 1)
                scripts.clock.advance(.milliseconds(250))
                #expect(try await scripts.grant(.init(rate: rate, wanted: 400)).bytes == 250)
                scripts.clock.advance(.seconds(60))
                #expect(try await scripts.grant(.init(rate: rate, wanted: 4000)).bytes == 500)
            }
        }

        @Test func whatPassedIsChargedIntoDebtAndNothingIsGrantedUntilItIsPaid() async throws {
            try await withScripts { scripts in
                let charged = try await scripts.grant(.init(rate: rate, passed: 1500, wanted: 400))
                #expect(charged.bytes == 0 && charged.wait == 1_000_001)
                scripts.clock.advance(.seconds(1))
                #expect(try await scripts.grant(.init(rate: rate, wanted: 400)).bytes == 0)
                scripts.clock.advance(.milliseconds(10))
                #expect(try await scripts.grant(.init(rate: rate, wanted: 400)).bytes == 10)
            }
        }

        /// At most two bursts, or 1 MiB where that is more.
        @Test(arguments: [(burst: 500, most: Int64(1 << 20)), (4 << 20, 8 << 20)])
        func aDebtIsBounded(burst: Int, most: Int64) async throws {
            try await withScripts { scripts in
                let rate = TokenBucket.Rate(bytesPerSecond: 1_000_000, burst: burst)
                let answer = try await scripts.grant(.init(rate: rate, passed: 1 << 30, wanted: 400))
                #expect(answer.bytes == 0 && answer.wait == most + 1)
            }
        }

        @Test func aDayIsLeasedInPartsThatNeverExceedIt() async throws {
            try await withScripts { scripts in
                let limit: Int64 = 8 << 20
                var leased: Int64 = 0
                var answer = try await scripts.grant(.init(dayLimit: limit, wantsDay: true))
                #expect(answer.leased == 1 << 20)
                #expect(answer.day == scripts.clock.now().microseconds / 86_400_000_000)
                #expect(answer.dayEndsIn == 86_400_000_000 - scripts.clock.now().microseconds % 86_400_000_000)
                while answer.leased > 0 {
                    leased += answer.leased
                    #expect(answer.dayBytesLeft == limit - leased)
                    answer = try await scripts.grant(.init(dayLimit: limit, wantsDay: true))
                }
                #expect(leased == limit)
                scripts.clock.advance(.microseconds(answer.dayEndsIn))
                #expect(try await scripts.grant(.init(dayLimit: limit, wantsDay: true)).leased == 1 << 20)
            }
        }

        @Test func aDaysPartsAreSmallerTheMoreNodesThereAre() async throws {
            try await withScripts { scripts in
                for node in ["a.1", "b.1", "c.1", "d.1"] {
                    _ = try await scripts.reserve(
                        .init(epoch: node, sequence: 1, target: 1, limit: 9, isSession: true))
                }
                #expect(try await scripts.grant(.init(dayLimit: 32 << 20, wantsDay: true)).leased == 1 << 20)
                #expect(try await scripts.grant(.init(dayLimit: 4 << 40, wantsDay: true)).leased == 64 << 20)
                // A fast one gets more, but never more than its part of the rest.
                var call = ScriptCalls.Grant(dayLimit: 4 << 40, wantsDay: true, dayWanted: 200 << 20)
                #expect(try await scripts.grant(call).leased == 200 << 20)
                call.dayLimit = 1 << 30
                #expect(try await scripts.grant(call).leased < 32 << 20)
            }
        }

        @Test func whatIsGivenBackCountsForItsOwnDayOnly() async throws {
            try await withScripts { scripts in
                let lease = try await scripts.grant(.init(dayLimit: 1000, wantsDay: true))
                #expect(lease.leased == 1000 && lease.dayBytesLeft == 0)
                let given = try await scripts.grant(.init(dayLimit: 1000, returned: 400, returnedDay: lease.day))
                #expect(given.leased == 0 && given.dayBytesLeft == 400)
                let other = try await scripts.grant(.init(dayLimit: 1000, returned: 400, returnedDay: lease.day - 1))
                #expect(other.dayBytesLeft == 400)
                #expect(try await scripts.grant(.init(dayLimit: 1000, dayPassed: 700)).dayBytesLeft == 0)
                #expect(try await scripts.grant(.init(dayLimit: 2000)).dayBytesLeft == 700)
            }
        }

        @Test func anOperatorsLimitsComeFirst() async throws {
            try await withScripts { scripts in
                try await scripts.override("bytes_per_second", 10)
                try await scripts.override("byte_burst", 20)
                try await scripts.override("bytes_per_day", 30)
                let answer = try await scripts.grant(.init(rate: rate, wanted: 400, dayLimit: 1000, wantsDay: true))
                #expect(answer.bytes == 20 && answer.wait == 1 && answer.leased == 30)
            }
        }
    }
}
