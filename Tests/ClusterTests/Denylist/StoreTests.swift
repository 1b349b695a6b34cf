import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetCluster
import WasmnetNet

extension DenylistOnRedis {
    @Suite(.timeLimit(.minutes(3))) struct StoreTests {
        /// A combining character does not belong to the space before it: neither in the entries nor in the log that others follow.
        @Test func aReasonThatBeginsWithACombiningSignIsReadBack() async throws {
            try await withRedis { _, redis in
                let store = RedisDenylistStore(redis: redis)
                let entry = DenylistEntry(
                    try DenylistSubject(clientID: "t:Jos\u{E9} \u{301}"), reason: try DenylistReason("\u{301}why"))
                _ = try await store.write([.init(adding: entry)])
                let poll = try await DenylistPoll.ask(redis, generation: 0, version: 0, deadline: .seconds(5))
                let list = try await store.read()
                #expect(list.sorted() == [entry])
                let log = try await DenylistPoll.ask(
                    redis, generation: poll.generation, version: 0, id: poll.id, deadline: .seconds(5))
                #expect(log.records == [.put(entry)])
            }
        }

        @Test func eachChangeIsInTheEntriesTheLogAndTheMessage() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                #expect(try await store.read().generation == 0)
                #expect(try await store.remove(subject("10.0.0.1")).outcomes == [.absent])
                // A removal creates no list.
                #expect(try await redis.run("DBSIZE").int == 0)
                let subscriber = try RedisSubscriber(
                    redis.url, channels: [RedisKeys.denylistChannel], options: RedisServer.options,
                    group: MultiThreadedEventLoopGroup.singleton)
                defer { subscriber.close() }
                var events = subscriber.events.makeAsyncIterator()
                #expect(await events.next() == .gap(.started))

                let reason = try DenylistReason("scans ports")
                let receipt = try await store.write(
                    [
                        .add(try subject("10.0.0.1"), reason: reason),
                        .add(try subject("*.x.test"), .after(milliseconds: 60_000)),
                        .add(try subject("10.0.0.1"), reason: reason), .remove(try subject("10.0.0.2")),
                        .add(try subject("10.0.0.3"), .at(UnixTime(milliseconds: 1))), .add(try subject("10.0.0.1")),
                        .add(try subject("10.0.0.1"), reason: reason),
                    ])
                #expect(receipt.outcomes == [.added, .added, .unchanged, .absent, .expired, .updated, .updated])
                #expect((receipt.version, receipt.count) == (4, 2))
                let list = try await store.read()
                #expect((list.generation, list.version, list.digest) == (receipt.generation, 4, receipt.digest))
                #expect(list.sorted().map(\.text) == ["*.x.test", "10.0.0.1"])
                #expect(list[try subject("10.0.0.1")]?.reason == reason)
                let time = try #require(try await redis.run("TIME").array?.first?.int64)
                let expiry = try #require(list[try subject("*.x.test")]?.expiry)
                #expect((time * 1000 + 30_000...time * 1000 + 61_000).contains(expiry.milliseconds))

                guard case .message(_, let payload) = await events.next() else { throw TookTooLong() }
                let message = try #require(DenylistMessage(payload))
                #expect((message.generation, message.from, message.to) == (receipt.generation, 0, 4))
                #expect(message.digest == receipt.digest)
                // Earlier programs read four numbers in the head of a message, and ignore the rest.
                let words = String(buffer: payload).split(separator: "\n").first?.split(separator: " ") ?? []
                #expect(words.map { Int64($0) != nil } == [true, true, true, true, false, false])
                let applied = Denylist.empty.applying(try #require(message.records), version: 4)
                #expect(applied.texts == list.texts)
                #expect(try await redis.run("XLEN", .string(RedisKeys.denylistLog)).int == 4)
                #expect(try await redis.run("ZCARD", .string(RedisKeys.denylistExpiries)).int == 1)

                let cleared = try await store.clear()
                #expect(cleared.generation > receipt.generation)
                #expect((cleared.version, cleared.count) == (5, 0))
                #expect(try await store.read().generation == cleared.generation)
                #expect(try await redis.run("EXISTS", .string(RedisKeys.denylistEntries)).int == 0)
            }
        }

        /// Exactly the keys: in a cluster the script would fail otherwise.
        @Test func allKeysLieInOneSlot() {
            let keys = [
                RedisKeys.denylist, RedisKeys.denylistEntries, RedisKeys.denylistExpiries, RedisKeys.denylistLog,
                RedisKeys.denylistIDs, RedisKeys.denylistPieces, RedisKeys.denylistPieceEntries,
                RedisKeys.denylistPieceExpiries, RedisKeys.denylistMender,
            ]
            #expect(Set(keys.map { HashSlot.of($0) }).count == 1)
            #expect(Set(keys).count == keys.count)
        }

        @Test func theListHasABound() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis, most: 2)
                let entries = try (0..<3).map { DenylistEntry(try subject("10.0.0.\($0)")) }
                #expect(try await store.load(entries).outcomes == [.added, .added, .full])
                #expect(try await store.load(entries).outcomes == [.unchanged, .unchanged, .full])
                #expect(try await store.remove(subject("10.0.0.0")).outcomes == [.removed])
                #expect(try await store.load(entries).outcomes == [.added, .unchanged, .full])
            }
        }

        /// The same operations drive Redis and the process under one clock: outcomes, versions, digests and lists are the same.
        @Test func bothStoresDoTheSame() async throws {
            try await withRedis { server, redis in
                let now = NIOLockedValueBox(listStart)
                let clock: @Sendable () -> UnixTime = { now.withLockedValue { $0 } }
                let shared: any DenylistStore = RedisDenylistStore(redis: redis, most: 120, clock: clock)
                let own: any DenylistStore = InProcessDenylist(
                    to: ActiveDenylist(systemTime: listStart), most: 120, systemTime: clock)
                var random = seeded(4)
                var seen: Set<DenylistOutcome> = []
                for step in 0..<2500 {
                    now.withLockedValue { $0 = $0.adding(milliseconds: .random(in: 0...40, using: &random)) }
                    let changes = try (0..<Int.random(in: 0...8, using: &random)).map { _ in
                        try self.change(&random, clock())
                    }
                    let replaces = Int.random(in: 0..<400, using: &random) == 0
                    let first = try await shared.write(changes, replaces: replaces)
                    let second = try await own.write(changes, replaces: replaces)
                    seen.formUnion(first.outcomes)
                    #expect(first.outcomes == second.outcomes, "seed \(listSeed), step \(step)")
                    #expect(
                        (first.version, first.count, first.digest) == (second.version, second.count, second.digest),
                        "seed \(listSeed), step \(step)")
                    guard first.outcomes == second.outcomes, first.digest == second.digest else { return }
                    if step % 50 == 0 {
                        #expect(
                            try await shared.read().texts == (try await own.read().texts),
                            "seed \(listSeed), step \(step)")
                    }
                }
                #expect(seen == Set(DenylistOutcome.allCases))
            }
        }

        private func change(_ random: inout SeededRandom, _ now: UnixTime) throws -> DenylistChange {
            let subject = try subject(Draw.subject(&random))
            guard Int.random(in: 0..<4, using: &random) > 0 else { return .remove(subject) }
            let time = Int64.random(in: -5...2000, using: &random)
            let expiry: DenylistExpiry =
                switch Int.random(in: 0..<3, using: &random) {
                case 0: .never
                case 1: .after(milliseconds: time)
                default: .at(now.adding(milliseconds: time))
                }
            let reasons = ["", "one", "two words", "\u{E9}", "e\u{301}"]
            return .add(subject, expiry, reason: try DenylistReason(reasons.randomElement(using: &random) ?? ""))
        }

        @Test func extremesOfTimeAreHeldToWhatHasAText() async throws {
            try await withRedis { server, redis in
                let stores: [any DenylistStore] = [
                    RedisDenylistStore(redis: redis, clock: { listStart }),
                    InProcessDenylist(to: ActiveDenylist(systemTime: listStart), systemTime: { listStart }),
                ]
                for store in stores {
                    for expiry in [.after(milliseconds: .max), .at(UnixTime(milliseconds: .max))] as [DenylistExpiry] {
                        _ = try await store.add(subject("10.0.0.1"), expiry)
                        #expect(try await store.read().entries.map(\.expiry) == [UnixTime.last])
                    }
                    for expiry in [
                        .after(milliseconds: .min), .at(UnixTime(milliseconds: .min)), .at(listStart),
                        .after(milliseconds: 0),
                    ] as [DenylistExpiry] {
                        #expect(try await store.add(subject("10.0.0.2"), expiry).outcomes == [.expired])
                    }
                    #expect(try await store.add(subject("10.0.0.2"), .after(milliseconds: 1)).outcomes == [.added])
                }
            }
        }

        @Test func manyThatAreOverGoAFewAtATime() async throws {
            try await withRedis { server, redis in
                let now = NIOLockedValueBox(listStart)
                let store = RedisDenylistStore(redis: redis, clock: { now.withLockedValue { $0 } })
                let entries = try (0..<200).map {
                    DenylistEntry(try subject("10.0.0.\($0)"), expiry: listStart.adding(milliseconds: 5))
                }
                _ = try await store.load(entries)
                now.withLockedValue { $0 = listStart.adding(milliseconds: 4) }
                #expect(try await store.sweep().count == 200)
                now.withLockedValue { $0 = listStart.adding(milliseconds: 5) }
                #expect(try await store.sweep().count == 200 - DenylistReplica.maxSwept)
                for _ in 0..<3 { try await store.sweep() }
                let receipt = try await store.sweep()
                #expect((receipt.count, receipt.version, receipt.digest) == (0, 400, DenylistDigest()))
                #expect(try await redis.run("EXISTS", .string(RedisKeys.denylistExpiries)).int == 0)
            }
        }

        @Test func anErrorTellsHowManyWereMade() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                await server.kill()
                await #expect {
                    try await store.add(subject("10.0.0.1"))
                } throws: { error in
                    (error as? DenylistStoreError)?.made == 0
                }
            }
        }

        /// A server without memory accepts nothing, but can release.
        @Test func withoutMemoryEntriesCanStillBeRemoved() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(try (0..<10).map { DenylistEntry(try subject("10.0.0.\($0)")) })
                try await redis.run("CONFIG", "SET", "maxmemory", "1")
                await #expect(throws: DenylistStoreError.self) { try await store.add(subject("10.1.0.1")) }
                #expect(try await store.read().count == 10)
                #expect(try await store.remove(subject("10.0.0.1")).outcomes == [.removed])
                let list = try await store.read()
                #expect((list.count, list.version) == (9, 11))
            }
        }
    }
}
