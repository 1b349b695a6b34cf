import Foundation
import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetCluster
import WasmnetNet

extension DenylistOnRedis {
    /// The list in force on a running node stays in force, whatever Redis lost: real restarts, with old snapshots, and emptied ones.
    @Suite(.timeLimit(.minutes(3))) struct LostListTests {
        /// The data that Redis loses.
        enum Loss: CaseIterable {
            case everything, everythingByARestart, whatCameAfterASnapshot
        }

        /// A node that holds 300 entries, some of which Redis knew when its snapshot was made; one that is in the snapshot is gone.
        private func withLoss(
            _ body: (_ lose: (Loss) async throws -> Void, FaultProxy, RedisServer, RedisClient, Node) async throws ->
                Void
        ) async throws {
            try await withRedis { server, redis in
                try await FaultProxy.with(port: server.port) { proxy in
                    let store = RedisDenylistStore(redis: redis)
                    _ = try await store.load(someEntries(270))
                    _ = try await store.add(subject("*.gone.test"))
                    _ = try await store.add(subject("*.brief.test"), .after(milliseconds: 3_600_000))
                    try await redis.run("SAVE")
                    let (dump, old) = (server.directory + "/dump.rdb", server.directory + "/old.rdb")
                    try FileManager.default.copyItem(atPath: dump, toPath: old)
                    _ = try await store.load(someEntries(28, 2))
                    _ = try await store.remove(subject("*.gone.test"))
                    _ = try await store.add(subject("*.brief.test"), .after(milliseconds: 7_200_000))
                    try await withNode(port: proxy.port, interval: .milliseconds(100), deadline: .milliseconds(500)) {
                        node in
                        try await node.list { $0.count == 299 && $0.version == 302 }
                        let lose: (Loss) async throws -> Void = { loss in
                            guard loss != .everything else {
                                try await redis.run("FLUSHALL")
                                return
                            }
                            await server.kill()
                            try FileManager.default.removeItem(atPath: dump)
                            if loss == .whatCameAfterASnapshot {
                                try FileManager.default.copyItem(atPath: old, toPath: dump)
                            }
                            try await server.launch()
                            try await redis.answers()
                        }
                        try await body(lose, proxy, server, redis, node)
                    }
                }
            }
        }

        @Test(arguments: Loss.allCases) func theListIsWrittenBack(_ loss: Loss) async throws {
            try await self.withLoss { lose, _, server, redis, node in
                let known = node.inForce.list
                let changes = NIOLockedValueBox(0)
                node.inForce.observe { _ in changes.withLockedValue { $0 += 1 } }
                try await lose(loss)
                let list = try await redis.list { $0.version == known.version }
                #expect(list.texts == known.texts)
                #expect(list.generation == known.generation)
                try await node.freshness { $0 == .current }
                #expect(try await node.firstMends() == [.writtenBack: 1])
                // No entry was ever removed, and no node had to read the list again.
                #expect(changes.withLockedValue { $0 } == 0)
                // An entry's end is there too, and no piece is left.
                let end = try #require(known[try subject("*.brief.test")]?.expiry)
                let score = try await redis.run("ZSCORE", .string(RedisKeys.denylistExpiries), "*.brief.test")
                #expect(score.string == "\(end.milliseconds)")
                #expect(try await redis.run("KEYS", "wn:{denylist}:p*").array == [])
                for key in [RedisKeys.denylistEntries, RedisKeys.denylistExpiries] {
                    #expect(try await redis.run("PTTL", .string(key)).int == -1)
                }
                // It continues from there.
                _ = try await RedisDenylistStore(redis: redis).add(subject("10.9.0.1"))
                try await node.list { $0.count == 300 && $0.version == known.version + 1 }
            }
        }

        /// The version's number in Redis is below, at and above that of the node: the id decides.
        @Test(arguments: Loss.allCases, [1, 30, 60]) func whatIsAddedMeanwhileIsJoined(
            _ loss: Loss, _ added: Int
        ) async throws {
            try await self.withLoss { lose, proxy, server, redis, node in
                let known = node.inForce.list
                proxy.set(.silence)
                try await lose(loss)
                let store = RedisDenylistStore(redis: redis)
                for entry in try someEntries(added, 3) { _ = try await store.add(entry.subject) }
                if added == 60 { _ = try await store.add(subject("*.brief.test")) }
                let other = try await store.read()
                proxy.set(.none)
                let list = try await node.list { [added] in $0.count >= 299 + added }
                #expect(list.version > max(known.version, other.version))
                let subjects = Set(list.entries.map(\.text))
                let expected = Set((Array(known.entries) + Array(other.entries)).map(\.text))
                #expect(subjects == expected)
                // Of two ends the later applies, and no end overrides all.
                let brief = try subject("*.brief.test")
                #expect(list[brief]?.expiry == (added == 60 ? nil : known[brief]?.expiry))
                #expect(try await store.read().texts == list.texts)
                try await node.freshness { $0 == .current }
                #expect(try await node.firstMends() == [.joined: 1])
                _ = try await store.add(subject("10.9.0.1"))
                try await node.list { $0.count == list.count + 1 && $0.version == list.version + 1 }
            }
        }

        @Test(arguments: Loss.allCases, [false, true]) func aNodeThatStartsInBetweenGetsAll(
            _ loss: Loss, _ adds: Bool
        ) async throws {
            try await self.withLoss { lose, proxy, server, redis, node in
                let known = node.inForce.list
                proxy.set(.silence)
                try await lose(loss)
                let store = RedisDenylistStore(redis: redis)
                try await withNode(port: server.port, interval: .milliseconds(100)) { late in
                    try await late.freshness { $0 == .current }
                    // It knows nothing, and adopts the list in Redis.
                    #expect(late.inForce.list.texts == (try await store.read()).texts)
                    if adds {
                        let added = try subject("10.9.0.1")
                        _ = try await store.add(added)
                        try await late.list { $0[added] != nil }
                    }
                    let before = late.inForce.list.version
                    proxy.set(.none)
                    let version = known.version + (adds ? 1 : 0)
                    let list = try await late.list { $0.version >= version }
                    #expect(list.version > before)
                    let missing = known.entries.filter { list[$0.subject] == nil }
                    #expect(missing.isEmpty)
                    #expect(list.count >= known.count + (adds ? 1 : 0))
                    if !adds { #expect(list.texts == known.texts) }
                    try await node.list { $0.version == list.version && $0.digest == list.digest }
                    #expect(late.mends == [:])
                    #expect(try await node.firstMends() == (adds ? [.joined: 1] : [.writtenBack: 1]))
                }
            }
        }

        @Test(arguments: Loss.allCases, [false, true]) func aListThatReplacesIsAdopted(
            _ loss: Loss, _ isSilent: Bool
        ) async throws {
            try await self.withLoss { lose, proxy, server, redis, node in
                let known = node.inForce.list
                if isSilent { proxy.set(.silence) }
                try await lose(loss)
                let counts = NIOLockedValueBox<[Int]>([])
                node.inForce.observe { update in counts.withLockedValue { $0.append(update.list.count) } }
                _ = try await RedisDenylistStore(redis: redis).load(someEntries(600, 3), replaces: true)
                proxy.set(.none)
                let list = try await node.list { $0.count == 600 }
                #expect(list.version > known.version)
                // Observers are called once the list is in force.
                try await withTimeout(.seconds(30)) {
                    while counts.withLockedValue({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(5)) }
                }
                #expect(counts.withLockedValue { $0 } == [600])
                #expect(try await redis.list { $0.version == list.version }.texts == list.texts)
                try await node.freshness { $0 == .current }
                if isSilent { #expect(try await node.firstMends() == [.replaced: 1]) }
            }
        }

        /// Whichever node is first: the highest version wins.
        @Test(arguments: Loss.allCases, [false, true]) func theHighestVersionWins(
            _ loss: Loss, _ lowerFirst: Bool
        ) async throws {
            try await self.withLoss { lose, proxy, server, redis, lower in
                let store = RedisDenylistStore(redis: redis)
                try await FaultProxy.with(port: server.port) { other in
                    try await withNode(port: other.port, interval: .milliseconds(100), deadline: .milliseconds(500)) {
                        higher in
                        let low = try await higher.list { $0.count == 299 }
                        proxy.set(.silence)
                        _ = try await store.remove(subject("10.1.0.1"))
                        _ = try await store.add(subject("10.9.0.1"))
                        let high = try await higher.list { $0.version == low.version + 2 }
                        other.set(.silence)
                        try await lose(loss)
                        for (node, proxy) in lowerFirst ? [(lower, proxy), (higher, other)] : [(higher, other)] {
                            proxy.set(.none)
                            let version = node.inForce.list.version
                            try await redis.list { $0.version == version }
                        }
                        proxy.set(.none)
                        try await lower.list { $0.version == high.version }
                        #expect(lower.inForce.list.texts == high.texts)
                        #expect(try await store.read().texts == high.texts)
                    }
                }
            }
        }

        @Test func manyNodesWriteItBackOnce() async throws {
            try await withRedis { server, redis in
                _ = try await RedisDenylistStore(redis: redis).load(someEntries(2000))
                var nodes: [Node] = []
                for _ in 0..<5 {
                    nodes.append(try await Node(RedisServer.url(port: server.port), interval: .milliseconds(100)))
                }
                do {
                    for node in nodes { try await node.list { $0.count == 2000 } }
                    let known = nodes[0].inForce.list
                    try await redis.run("FLUSHALL")
                    #expect(try await redis.list { $0.count == 2000 }.texts == known.texts)
                    for node in nodes {
                        try await node.freshness { $0 == .current }
                        #expect(node.inForce.list.version == known.version)
                    }
                    try await withTimeout(.seconds(30)) { [nodes] in
                        while nodes.allSatisfy({ $0.mends.isEmpty }) { try await Task.sleep(for: .milliseconds(1)) }
                    }
                    #expect(nodes.map { $0.mends[.writtenBack] ?? 0 }.reduce(0, +) == 1)
                } catch {
                    for node in nodes { await node.stop() }
                    throw error
                }
                for node in nodes { await node.stop() }
            }
        }

        /// Each change makes it another list, piece by piece or not: nothing is lost, and the process terminates.
        @Test func aLossUnderChangesThatGoOn() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(3000))
                try await withNode(port: server.port, interval: .milliseconds(100)) { node in
                    try await node.list { $0.count == 3000 }
                    for round in 1...3 {
                        async let writes: Void = {
                            for index in 0..<50 { _ = try await store.add(subject("10.8.\(round).\(index)")) }
                        }()
                        try await redis.run("FLUSHALL")
                        try await writes
                        // The last addition before the loss, which reached no node, is lost with Redis.
                        let list = try await node.list { $0.count >= 3000 }
                        #expect(try someEntries(3000).allSatisfy { list[$0.subject] != nil })
                        try await redis.list { $0.count >= 3000 && node.inForce.list.digest == $0.digest }
                        try await node.freshness { $0 == .current }
                    }
                }
            }
        }

        @Test func anOperatorClearsAndReplaces() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(300))
                try await withNode(port: server.port, interval: .milliseconds(100)) { node in
                    try await node.list { $0.count == 300 }
                    _ = try await store.load(someEntries(1100, 3), replaces: true)
                    let list = try await node.list { $0.count == 1100 }
                    #expect(list.version > 300)
                    let cleared = try await store.clear()
                    try await node.list { $0.isEmpty }
                    #expect(cleared.version > list.version)
                    // An empty list counts as well: an old snapshot does not undo it.
                    try await redis.run("FLUSHALL")
                    try await redis.list { $0.generation == cleared.generation && $0.version == cleared.version }
                    try await node.freshness { $0 == .current }
                    #expect(try await node.firstMends() == [.writtenBack: 1])
                }
            }
        }

        @Test func aHundredThousandEntriesAreWrittenBackInPieces() async throws {
            try await withRedis { server, redis in
                let entries = try (0..<100_000).map { index in
                    DenylistEntry(
                        try subject("10.\(index / 62_500).\(index / 250 % 250).\(index % 250)"),
                        expiry: index % 10 == 0 ? UnixTime(milliseconds: 4_000_000_000_000) : nil)
                }
                _ = try await RedisDenylistStore(redis: redis).load(entries)
                try await withNode(port: server.port) { node in
                    let known = try await node.list(within: .seconds(60)) { $0.count == 100_000 }
                    try await redis.run("CONFIG", "RESETSTAT")
                    try await redis.run("FLUSHALL")
                    try await redis.poll(within: .seconds(60)) {
                        ($0.count, $0.digest, $0.version) == (100_000, known.digest, known.version)
                    }
                    #expect(try await redis.run("ZCARD", .string(RedisKeys.denylistExpiries)).int == 10_000)
                    // Some 2 ms each.
                    let statistics = try await redis.run("INFO", "commandstats").string ?? ""
                    let calls = statistics.firstMatch(of: /cmdstat_evalsha:calls=(\d+)/).flatMap { Int($0.1) }
                    #expect(calls ?? 0 >= 100_000 / DenylistLimits.piece)
                    // Then one is added to a Redis that was emptied again.
                    try await redis.run("FLUSHALL")
                    _ = try await RedisDenylistStore(redis: redis).add(subject("10.99.0.1"))
                    let joined = try await node.list(within: .seconds(60)) { $0.count == 100_001 }
                    #expect(joined.version > known.version)
                    try await redis.poll(within: .seconds(60)) { $0.digest == joined.digest }
                }
            }
        }

        /// Pieces that Redis loses again do not count as written.
        @Test func aMendThatIsOvertakenDoesNothing() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(300))
                let list = try await store.read()
                var lineage = DenylistLineage()
                lineage.pass("300-mine")
                let mender = DenylistMender(redis: redis, deadline: .seconds(5))
                // There is a list by then.
                #expect(try await mender.mend(.writtenBack, list, lineage, over: nil) == .overtaken)
                #expect(try await store.read().version == 300)
                // Lost after the first piece.
                try await redis.run("FLUSHALL")
                let first = try await store.add(subject("10.9.0.1"))
                let poll = try await DenylistPoll.ask(redis, generation: 0, version: 0, deadline: .seconds(5))
                let changes = list.sorted().map(DenylistChange.init(adding:))
                let piece = try #require(
                    try await store.join(changes[..<250], hold: true, after: poll.id, above: 300, []))
                #expect(piece.receipt.version == first.version + 250)
                try await redis.run("FLUSHALL")
                _ = try await store.add(subject("10.9.0.1"))
                #expect(
                    try await store.join(changes[250...], hold: false, after: piece.id, above: 300, ["300-mine"]) == nil
                )
                #expect(try await store.read().count == 1)
                #expect(try await mender.mend(.joined, list, lineage, over: poll) == .overtaken)
                // One node at a time.
                try await redis.run("SET", .string(RedisKeys.denylistMender), "another")
                #expect(try await mender.mend(.joined, list, lineage, over: poll) == .busy)
            }
        }

        /// A node of the version before changes the list without an id: that is followed, and given one.
        @Test func programsOfBeforeAreFollowed() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(10))
                for key in ["id", "of", "replaces"] {
                    try await redis.run("HDEL", .string(RedisKeys.denylist), .string(key))
                }
                try await redis.run("DEL", .string(RedisKeys.denylistIDs))
                try await withNode(port: server.port, interval: .milliseconds(100)) { node in
                    try await node.list { $0.count == 10 }
                    try await redis.poll { $0.version == 10 && $0.hasOwnID }
                    let entry = DenylistEntry(try subject("10.9.0.1"))
                    let mark = DenylistDigest.mark(of: entry.text, reason: nil)
                    let sum = (node.inForce.list.digest.value &+ mark) & DenylistDigest.mask
                    for command: RedisCommand in [
                        ["MULTI"], ["HSET", .string(RedisKeys.denylistEntries), "10.9.0.1", .string("\(mark) 0 ")],
                        ["XADD", .string(RedisKeys.denylistLog), "11-0", "r", "+ 0 10.9.0.1 "],
                        ["HSET", .string(RedisKeys.denylist), "version", "11", "digest", .integer(sum)], ["EXEC"],
                    ] { _ = try await redis.send(command) }
                    try await node.list { $0.version == 11 && $0.count == 11 }
                    try await redis.poll { $0.version == 11 && $0.hasOwnID }
                    #expect(node.mends == [:])
                    // From then on a loss is a loss.
                    let known = node.inForce.list
                    try await redis.run("FLUSHALL")
                    try await redis.list { $0.version == 11 && $0.digest == known.digest }
                }
            }
        }
    }
}

extension Node {
    /// Its repairs, and how often.
    var mends: [DenylistMend: Int] {
        Dictionary(uniqueKeysWithValues: DenylistMend.allCases.map { ($0, self.inForce.count(of: $0)) }).filter {
            $0.value > 0
        }
    }

    /// Its repairs, once there is one: it counts a repair when Redis has answered, and others may read the list before that.
    func firstMends() async throws -> [DenylistMend: Int] {
        try await withTimeout(.seconds(30)) {
            while self.mends.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
            return self.mends
        }
    }
}

extension RedisClient {
    /// Waits until Redis has a list that matches.
    @discardableResult
    func list(
        within time: Duration = .seconds(30), _ fits: @escaping @Sendable (Denylist) -> Bool
    ) async throws -> Denylist {
        try await withTimeout(time) {
            while true {
                if let list = try? await RedisDenylistStore(redis: self).read(), fits(list) { return list }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }

    /// Waits until it is available again.
    func answers() async throws {
        try await withTimeout(.seconds(20)) {
            while (try? await self.run("PING")) == nil { try await Task.sleep(for: .milliseconds(5)) }
        }
    }

    /// Waits until Redis has a list.
    func poll(
        within time: Duration = .seconds(20), _ fits: @escaping @Sendable (DenylistPoll) -> Bool
    ) async throws {
        try await withTimeout(time) {
            while true {
                let poll = try await DenylistPoll.ask(self, generation: 0, version: 0, deadline: .seconds(5))
                if fits(poll) { return }
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}
