import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// reserve.lua, heartbeat.lua, retire.lua and generation.lua: slots.
    @Suite struct LeaseScriptTests {
        private func ask(
            _ epoch: String, _ sequence: Int64, target: Int, open: Int = 0, limit: Int = 10
        ) -> ScriptCalls.Reserve {
            ScriptCalls.Reserve(epoch: epoch, sequence: sequence, target: target, open: open, limit: limit)
        }

        @Test func grantsWhatIsWantedUntilTheLimitAndTellsTheRoom() async throws {
            try await withScripts { scripts in
                let first = try await scripts.reserve(ask("a.1", 1, target: 6))
                #expect(first.status == .done && first.granted == 6 && first.room == 4)
                let second = try await scripts.reserve(ask("b.1", 1, target: 6))
                #expect(second.status == .done && second.granted == 4 && second.room == 0)
                var third = ask("c.1", 1, target: 1)
                third.needsSlot = true
                let refused = try await scripts.reserve(third)
                #expect(
                    refused.status == .done && refused.granted == 0 && refused.missing == .slots && refused.wait == 0)
                let less = try await scripts.reserve(ask("a.1", 2, target: 1))
                #expect(less.granted == 1 && less.room == 5)
                third.sequence = 2
                #expect(try await scripts.reserve(third).granted == 1)
            }
        }

        @Test func kindsOfSlotsAreCountedApart() async throws {
            try await withScripts { scripts in
                let sockets = try await scripts.reserve(ask("a.1", 1, target: 10))
                #expect(sockets.room == 0)
                var sessions = ask("a.1", 2, target: 3)
                sessions.isSession = true
                #expect(try await scripts.reserve(sessions).room == 7)
            }
        }

        @Test func aLateRequestChangesNothingAndRenewsNothing() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 5, target: 4))
                scripts.clock.advance(.seconds(10))
                for sequence: Int64 in [1, 5] {
                    let late = try await scripts.reserve(ask("a.1", sequence, target: 9))
                    #expect(late.status == .late && late.granted == 4)
                }
                #expect(try await scripts.reserve(ask("b.1", 1, target: 10)).granted == 6)
                // Fifteen seconds after the request in time, not after the late one.
                scripts.clock.advance(.seconds(5))
                #expect(try await scripts.heartbeat("a.1").first == 0)
                #expect(try await scripts.reserve(ask("b.1", 2, target: 10)).granted == 10)
            }
        }

        @Test func anUnknownEpochIsFencedUnlessItJoins() async throws {
            try await withScripts { scripts in
                var stranger = ask("a.1", 1, target: 4)
                stranger.joins = false
                let fenced = try await scripts.reserve(stranger)
                #expect(fenced.status == .fenced && fenced.granted == 0)
                stranger.joins = true
                #expect(try await scripts.reserve(stranger).status == .done)
                stranger.joins = false
                stranger.sequence = 2
                #expect(try await scripts.reserve(stranger).status == .done)
            }
        }

        @Test func anEpochLivesByHeartbeats() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 1, target: 4))
                for _ in 0..<5 {
                    scripts.clock.advance(.seconds(14))
                    #expect(try await scripts.heartbeat("a.1").first == 1)
                }
                #expect(try await scripts.reserve(ask("b.1", 1, target: 10)).granted == 6)
                scripts.clock.advance(.microseconds(ScriptCalls.timeToLive.microseconds - 1))
                #expect(try await scripts.heartbeat("a.1").first == 1)
                scripts.clock.advance(ScriptCalls.timeToLive)
                #expect(try await scripts.heartbeat("a.1").first == 0)
                #expect(try await scripts.reserve(ask("c.1", 1, target: 10)).granted == 10)
            }
        }

        @Test func aLapsedEpochsEntryIsAsIfItWereNotThere() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 7, target: 8))
                scripts.clock.advance(.seconds(15))
                #expect(try await scripts.reserve(ask("b.1", 1, target: 9)).granted == 9)
                let again = try await scripts.reserve(ask("a.1", 8, target: 8))
                #expect(again.status == .done && again.granted == 1)
            }
        }

        @Test func theEpochThatIsReplacedDoesNotCount() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 1, target: 6))
                _ = try await scripts.reserve(ask("b.1", 1, target: 3))
                var next = ask("a.2", 2, target: 7, open: 5)
                #expect(try await scripts.reserve(next).granted == 1)
                next.sequence = 3
                next.replaces = "a.1"
                let replaced = try await scripts.reserve(next)
                #expect(replaced.granted == 7 && replaced.room == 0)
                // The old one does not return.
                var old = ask("a.1", 4, target: 6)
                old.joins = false
                #expect(try await scripts.reserve(old).granted == 0)
            }
        }

        @Test func aboveTheLimitTheAnswerSaysByHowMuch() async throws {
            try await withScripts { scripts in
                // Each was open when it was declared, as after an outage.
                _ = try await scripts.reserve(ask("a.1", 1, target: 8, open: 8))
                let both = try await scripts.reserve(ask("b.1", 1, target: 8, open: 8))
                #expect(both.granted == 2 && both.room == -6)
                // One closes: it is not granted again while the others have all slots.
                let fewer = try await scripts.reserve(ask("b.1", 2, target: 8, open: 7))
                #expect(fewer.granted == 2 && fewer.room == -5)
                _ = try await scripts.reserve(ask("a.1", 2, target: 3, open: 3))
                let below = try await scripts.reserve(ask("b.1", 3, target: 7, open: 6))
                #expect(below.granted == 7 && below.room == 0)
            }
        }

        /// Two nodes that both opened too much: only one of them closes for it.
        @Test func anExcessIsShedOnceAndNeverBecomesAGrant() async throws {
            try await withScripts { scripts in
                #expect(try await scripts.reserve(ask("a.1", 1, target: 9, open: 9)).granted == 9)
                #expect(try await scripts.reserve(ask("b.1", 1, target: 9, open: 9)).granted == 1)
                // Repeatedly: a slot that was not granted is not granted by being counted.
                #expect(try await scripts.reserve(ask("b.1", 2, target: 9, open: 9)).granted == 1)
                #expect(try await scripts.reserve(ask("a.1", 2, target: 9, open: 9)).granted == 9)
                #expect(try await scripts.reserve(ask("c.1", 1, target: 1)).granted == 0)
                // Some of the others' close: there is room for the open ones, and none for more.
                #expect(try await scripts.reserve(ask("a.1", 3, target: 4, open: 4)).granted == 4)
                let rest = try await scripts.reserve(ask("b.1", 3, target: 12, open: 9))
                #expect(rest.granted == 6 && rest.room == -3)
            }
        }

        @Test func anEntryWithoutSlotsKeepsItsSequenceNumber() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 5, target: 0))
                let late = try await scripts.reserve(ask("a.1", 4, target: 5))
                #expect(late.status == .late && late.granted == 0)
                #expect(try await scripts.reserve(ask("b.1", 1, target: 10)).granted == 10)
            }
        }

        @Test func aboveTheLimitANodeKeepsWhatItHasAndGetsNothingMore() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 1, target: 8))
                _ = try await scripts.reserve(ask("b.1", 1, target: 6, open: 6))
                // Eight and six of ten: both are counted, and neither grows.
                var more = ask("a.1", 2, target: 6, open: 5)
                more.held = 5
                more.needsSlot = true
                let refused = try await scripts.reserve(more)
                #expect(refused.granted == 5 && refused.missing == .slots)
                // Earlier grants may be in use by the time of the answer.
                more.sequence = 3
                more.held = 6
                #expect(try await scripts.reserve(more).granted == 5)
                _ = try await scripts.reserve(ask("b.1", 2, target: 1, open: 1))
                more.sequence = 4
                #expect(try await scripts.reserve(more).granted == 6)
            }
        }

        @Test func whatMayBeOpenIsCountedWhateverIsGranted() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 1, target: 10, open: 10))
                _ = try await scripts.reserve(ask("b.1", 1, target: 4, open: 4))
                _ = try await scripts.retire("a.1")
                #expect(try await scripts.reserve(ask("c.1", 1, target: 10)).granted == 6)
            }
        }

        @Test func retiringFreesAtOnce() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 1, target: 10))
                #expect(try await scripts.reserve(ask("b.1", 1, target: 10)).granted == 0)
                #expect(try await scripts.retire("a.1") == 1)
                #expect(try await scripts.retire("a.1") == 0)
                #expect(try await scripts.reserve(ask("b.1", 2, target: 10)).granted == 10)
                var after = ask("a.1", 2, target: 1)
                after.joins = false
                #expect(try await scripts.reserve(after).status == .fenced)
            }
        }

        /// A node with an earlier generation missed a loss; one with a later one has seen data that is gone.
        @Test func whoKnowsAnotherGenerationIsToldAndChangesNothing() async throws {
            try await withScripts { scripts in
                let start = scripts.clock.now().microseconds
                #expect(try await scripts.generation() == [start, 0])
                scripts.clock.advance(.seconds(3))
                var old = ask("a.1", 1, target: 4, open: 4)
                old.generation = 77
                let lost = try await scripts.reserve(old)
                #expect(lost.status == .lost && lost.generation == start && lost.hold == 0 && lost.granted == 0)
                #expect(try await scripts.heartbeat("a.1").first == 0)
                #expect(try await scripts.heartbeat("a.1", generation: 77) == [3, start, 0, 0])
                old.generation = start
                #expect(try await scripts.reserve(old).granted == 4)
                // Later than the present one: a new one begins, and no earlier lease counts.
                let later = start + 60_000_000
                let hold = ScriptCalls.hold.microseconds
                #expect(try await scripts.generation(known: later) == [later + 1, hold])
                #expect(try await scripts.heartbeat("a.1", generation: later + 1).first == 0)
            }
        }

        @Test func aProcessThatIsAnotherBeginsAGeneration() async throws {
            try await withScripts { scripts in
                let first = try await scripts.generation()
                let key = RedisArgument.string(RedisKeys.generation(scripts.bucket))
                try await scripts.redis.send(["HSET", key, "process", 12])
                scripts.clock.advance(.seconds(1))
                let second = try await scripts.generation(known: first[0])
                #expect(second[0] == scripts.clock.now().microseconds && second[1] == ScriptCalls.hold.microseconds)
                // Once: it is written by this one now.
                scripts.clock.advance(.seconds(1))
                #expect(try await scripts.generation(known: second[0])[0] == second[0])
            }
        }

        @Test func nothingGrowsUntilTheRollCallIsOver() async throws {
            try await withScripts { scripts in
                let generation = try await scripts.generation(known: scripts.clock.now().microseconds + 1)[0]
                var call = ask("a.1", 1, target: 6, open: 4)
                call.generation = generation
                call.needsSlot = true
                // Of the four open ones one is loose: the roll call's end decides about it.
                call.loose = 1
                let held = try await scripts.reserve(call)
                #expect(held.status == .done && held.granted == 3 && held.missing == .rollCall)
                #expect(held.wait == ScriptCalls.hold.microseconds)
                #expect(held.wait > ScriptCalls.timeToLive.microseconds)
                scripts.clock.advance(.microseconds(ScriptCalls.hold.microseconds - 1))
                call.sequence = 2
                #expect(try await scripts.reserve(call).granted == 3)
                scripts.clock.advance(.microseconds(1))
                call.sequence = 3
                #expect(try await scripts.reserve(call).granted == 6)
            }
        }

        /// Time in which a node was not heard does not count for it.
        @Test func theHoldIsCountedFromTheContact() async throws {
            try await withScripts { scripts in
                var scripts = scripts
                let generation = try await scripts.generation(known: scripts.clock.now().microseconds + 1)[0]
                scripts.clock.advance(.seconds(10))
                scripts.contact = scripts.clock.now().microseconds
                scripts.clock.advance(.seconds(10))
                #expect(try await scripts.generation(known: generation) == [generation, 6_000_000])
                scripts.contact = 0
                #expect(try await scripts.generation(known: generation)[1] == ScriptCalls.hold.microseconds)
            }
        }

        @Test func aClockThatIsSetBackHoldsGrowthNoLonger() async throws {
            try await withScripts { scripts in
                let generation = try await scripts.generation(known: scripts.clock.now().microseconds + 1)[0]
                scripts.clock.advance(.seconds(-3600))
                #expect(try await scripts.generation(known: generation)[1] == ScriptCalls.hold.microseconds)
                scripts.clock.advance(ScriptCalls.hold)
                #expect(try await scripts.generation(known: generation) == [generation, 0])
            }
        }

        /// Any request ends it, else any live node.
        @Test(arguments: [true, false])
        func aClockThatIsSetBackKeepsADeadNodesSlotsNoLonger(asksInTheirPlace: Bool) async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 1, target: 6, open: 6))
                if !asksInTheirPlace { _ = try await scripts.reserve(ask("b.1", 1, target: 0)) }
                scripts.clock.advance(.seconds(-3600))
                if asksInTheirPlace {
                    #expect(try await scripts.reserve(ask("b.1", 1, target: 10)).granted == 4)
                } else {
                    #expect(try await scripts.heartbeat("b.1").first == 1)
                }
                scripts.clock.advance(ScriptCalls.timeToLive)
                #expect(try await scripts.reserve(ask("c.1", 1, target: 10)).granted == 10)
            }
        }

        @Test func theRollCallEndsWhenAllHaveAnswered() async throws {
            try await withScripts { scripts in
                let generation = try await scripts.generation(known: scripts.clock.now().microseconds + 1)[0]
                let hold = ScriptCalls.hold.microseconds
                #expect(try await scripts.rollCall("a", generation: 77, waitingFor: []).first == 3)
                #expect(
                    try await scripts.rollCall("a", generation: generation, waitingFor: ["b", "c"])
                        == [1, generation, hold, 0b11])
                #expect(
                    try await scripts.rollCall("b", generation: generation, waitingFor: ["a", "c"])
                        == [1, generation, hold, 0b10])
                #expect(
                    try await scripts.rollCall("c", generation: generation, waitingFor: ["a", "b"])
                        == [1, generation, 0, 0])
                #expect(try await scripts.generation(known: generation) == [generation, 0])
                let key = RedisArgument.string(RedisKeys.generation(scripts.bucket))
                #expect(try await scripts.redis.send(["HLEN", key]).int == 4)
            }
        }

        /// A node without contact takes nothing that others could not renew.
        @Test func aLeaseCountsForOneTimeToLiveAfterTheContactOfWhoeverAsks() async throws {
            try await withScripts { scripts in
                var scripts = scripts
                _ = try await scripts.reserve(ask("a.1", 1, target: 6, open: 6))
                // Redis was suspended, or its clock was stepped.
                scripts.clock.advance(.seconds(60))
                scripts.contact = scripts.clock.now().microseconds
                #expect(try await scripts.reserve(ask("b.1", 1, target: 10)).granted == 4)
                #expect(try await scripts.heartbeat("a.1").first == 1)
                scripts.clock.advance(.seconds(20))
                #expect(try await scripts.reserve(ask("b.1", 2, target: 10)).granted == 10)
            }
        }

        /// An old request frees nothing and gets nothing more; its open slots count as open.
        @Test func whatComesLateOnlyDeclares() async throws {
            try await withScripts { scripts in
                _ = try await scripts.reserve(ask("a.1", 1, target: 6, open: 6))
                scripts.clock.advance(.seconds(20))
                var late = ask("b.1", 1, target: 3)
                late.sentAt = scripts.clock.now() - .milliseconds(301)
                late.needsSlot = true
                let refused = try await scripts.reserve(late)
                late.needsSlot = false
                #expect(refused.status == .done && refused.granted == 0 && refused.missing == .rollCall)
                late.sequence = 2
                late.open = 3
                let declared = try await scripts.reserve(late)
                #expect(declared.status == .done && declared.granted == 3 && declared.room == 1)
                #expect(
                    try await scripts.heartbeat("b.1", sentAt: scripts.clock.now() - .seconds(1)).first == 1)
                #expect(try await scripts.reserve(ask("b.1", 3, target: 10, open: 3)).granted == 10)
            }
        }

        @Test func anOperatorsLimitComesFirst() async throws {
            try await withScripts { scripts in
                try await scripts.override("max_connections", 3)
                #expect(try await scripts.reserve(ask("a.1", 1, target: 5)).granted == 3)
                var sessions = ask("a.1", 2, target: 5)
                sessions.isSession = true
                #expect(try await scripts.reserve(sessions).granted == 5)
            }
        }

        @Test func everyKeyExpires() async throws {
            try await withScripts { scripts in
                var call = ask("a.1", 1, target: 5)
                call.pace = GCRA.Pace(perSecond: 5, burst: 2)
                call.requests = 1
                _ = try await scripts.reserve(call)
                _ = try await scripts.grant(
                    .init(rate: .init(bytesPerSecond: 10, burst: 10), wanted: 5, dayLimit: 100, wantsDay: true))
                let keys = try await scripts.redis.send(["KEYS", "*"]).array?.compactMap(\.string) ?? []
                #expect(keys.count == 6)
                for key in keys {
                    let left = try await scripts.redis.send(["PTTL", .string(key)]).int ?? 0
                    #expect(left > 0, "\(key)")
                }
            }
        }
    }
}
