import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetCluster
import WasmnetNet

extension DenylistOnRedis {
    @Suite(.timeLimit(.minutes(3))) struct FeedTests {
        @Test func whatWasThereAndWhatComes() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(600))
                try await withNode(port: server.port) { node in
                    try await node.list { $0.count == 600 }
                    #expect(node.inForce.freshness == .current)
                    var updates = node.updates.makeAsyncIterator()
                    // The first is everything; then each change separately.
                    #expect(await updates.next()?.fresh.count == 600)
                    _ = try await store.write(
                        [
                            .add(try subject("*.x.test"), reason: try DenylistReason("why")),
                            .remove(try subject("10.1.0.0")),
                        ])
                    let update = try #require(await updates.next())
                    #expect(update.fresh.texts == ["*.x.test reason=why"])
                    #expect(update.list.count == 600)
                    let name = try HostName(parsing: "a.x.test")
                    #expect(node.inForce.view.entry(for: name, nil, port: 443)?.text == "*.x.test")
                    #expect(node.inForce.view.entry(for: nil, IPAddress(v4: (10, 1, 0, 0)), port: 443) == nil)
                    #expect(node.inForce.view.entry(for: nil, IPAddress(v4: (10, 1, 0, 1)), port: 443) != nil)
                    // More at once than fits into a message: from the log.
                    _ = try await store.load(someEntries(700, 2))
                    try await node.list { $0.count == 1300 }
                    #expect(node.inForce.list.digest == (try await store.read()).digest)
                    // Redis' clock, not that of the node, which is far off here.
                    let time = try #require(try await redis.run("TIME").array?.first?.int64)
                    #expect(abs(node.inForce.now.milliseconds - time * 1000) < 60_000)
                }
            }
        }

        @Test func aRegistryOfAnotherTypeBeginsAnew() async throws {
            try await withRedis { _, redis in
                let told = NIOLockedValueBox<[Int]>([])
                let registry = NodeRegistry(redis: redis) { _, removed in told.withLockedValue { $0.append(removed) } }
                for key in [RedisKeys.nodes, RedisKeys.node("one")] {
                    _ = try await redis.send(["SET", .string(key), "garbage"])
                    let ids = try await registry.register(
                        NodeEntry(
                            id: "one", name: "one", address: "127.0.0.1:1", version: "1", state: .serving, sessions: 0,
                            sockets: 0, startedAt: 0))
                    #expect(ids == ["one"])
                }
                #expect(told.withLockedValue { $0 } == [1, 1])
                #expect(try await registry.nodes().nodes.map(\.id) == ["one"])
            }
        }

        @Test func nodesThatComeAndGoSaySoOnItsChannel() async throws {
            try await withRedis { server, redis in
                let (changes, source) = AsyncStream.makeStream(of: NodeRegistry.Change.self)
                try await withNode(port: server.port, nodesChanged: { source.yield($0) }) { node in
                    // A check can make it current before it is subscribed.
                    func listeners() async throws -> Int64? {
                        let reply = try await redis.send(["PUBSUB", "NUMSUB", .string(RedisKeys.denylistChannel)])
                        return reply.array?.last?.int64
                    }
                    while try await listeners() != 1 { try await Task.sleep(for: .milliseconds(1)) }
                    let registry = NodeRegistry(redis: redis)
                    for id in ["one", "one", "two"] {
                        _ = try await registry.register(
                            NodeEntry(
                                id: id, name: id, address: "127.0.0.1:1", version: "1", state: .serving, sessions: 0,
                                sockets: 0, startedAt: 0))
                    }
                    try await registry.remove(id: "one")
                    var told = changes.makeAsyncIterator()
                    #expect(await told.next() == .joined("one"))
                    #expect(await told.next() == .joined("two"))
                    #expect(await told.next() == .left("one"))
                }
            }
        }

        @Test func aNodeWithoutAListIsLoadedAllTheSame() async throws {
            try await withRedis { server, redis in
                try await withNode(port: server.port) { node in
                    try await node.freshness { $0 == .current }
                    #expect(node.inForce.isLoaded)
                    #expect(node.inForce.list.isEmpty)
                    _ = try await RedisDenylistStore(redis: redis).add(subject("10.0.0.1"))
                    try await node.list { $0.count == 1 }
                }
            }
        }

        @Test func entriesEndOnTimeAndAreTakenOut() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                try await withNode(port: server.port, interval: .seconds(600)) { node in
                    try await node.freshness { $0 == .current }
                    _ = try await store.load(someEntries(3))
                    for index in 0..<100 {
                        _ = try await store.add(subject("10.9.0.\(index)"), .after(milliseconds: 3000))
                    }
                    let list = try await node.list { $0.count == 103 }
                    let last = try #require(list.entries.compactMap(\.expiry).max())
                    let address = IPAddress(v4: (10, 9, 0, 99))
                    // By the answers only: true before its moment and not after.
                    try await withTimeout(.seconds(20)) {
                        while true {
                            let before = node.inForce.now
                            let entry = node.inForce.view.entry(for: nil, address, port: 1)
                            let after = node.inForce.now
                            if before >= last { #expect(entry == nil) }
                            if after < last, before < last { #expect(entry != nil || node.inForce.now >= last) }
                            if before > last { return }
                            try await Task.sleep(for: .milliseconds(1))
                        }
                    }
                    try await node.list { $0.count == 3 }
                    #expect(try await redis.run("HLEN", .string(RedisKeys.denylistEntries)).int == 3)
                }
            }
        }

        @Test func twoStoresAndReadersInARace() async throws {
            try await withRedis { server, redis in
                let other = try await RedisServer.client(redis.url)
                try await withNode(port: server.port) { node in
                    try await node.freshness { $0 == .current }
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for (part, client) in [redis, other].enumerated() {
                            group.addTask {
                                let store = RedisDenylistStore(redis: client)
                                var random = seeded(5 + UInt64(part))
                                for _ in 0..<400 {
                                    let changes = try (0..<Int.random(in: 1...30, using: &random)).map { _ in
                                        let subject = try subject(Draw.subject(&random))
                                        return Bool.random(using: &random)
                                            ? DenylistChange.add(subject) : .remove(subject)
                                    }
                                    _ = try await store.write(changes)
                                }
                            }
                        }
                        group.addTask {
                            let reader = DenylistReader(redis: redis, deadline: .seconds(20))
                            for _ in 0..<40 {
                                guard let snapshot = try await reader.snapshot() else { continue }
                                #expect(snapshot.list.digest == snapshot.poll.digest)
                            }
                        }
                        try await group.waitForAll()
                    }
                    let list = try await RedisDenylistStore(redis: redis).read()
                    #expect(list.version > 800)
                    let followed = try await node.list { $0.version == list.version }
                    #expect(followed.texts == list.texts)
                }
                await other.close()
            }
        }

        @Test func whatNoNodeWroteIsLeftOutAndHarmsNothing() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(5))
                try await redis.run(
                    "HSET", .string(RedisKeys.denylistEntries), "10.0.0.0/99", "1 0 ", "x y", "z", "10.7.7.7", "1")
                try await withNode(port: server.port, interval: .milliseconds(100)) { node in
                    try await node.list { $0.count == 5 }
                    try await redis.run("PUBLISH", .string(RedisKeys.denylistChannel), "nonsense")
                    try await redis.run("PUBLISH", .string(RedisKeys.denylistChannel), "1 2 3 4 5")
                    for head in ["\(Int64.max) 1 2 3", "1 \(Int64.min) \(Int64.max) 3"] {
                        try await redis.run("PUBLISH", .string(RedisKeys.denylistChannel), .string(head))
                    }
                    // A digest that this version of the program never matches does not keep the list from following.
                    try await redis.run("HINCRBY", .string(RedisKeys.denylist), "digest", 1)
                    _ = try await store.add(subject("10.9.0.1"))
                    try await node.list { $0.count == 6 }
                    try await node.freshness { $0 == .current }
                }
            }
        }

        @Test func aNodeThatStartsBeforeRedis() async throws {
            let port = try await RedisServer.freePort()
            try await withNode(port: port) { node in
                try await node.freshness { if case .unreachable = $0 { true } else { false } }
                #expect(!node.inForce.isLoaded)
                #expect(node.inForce.age == nil)
                let server = try await RedisServer.start(port: port)
                do {
                    try await node.freshness { $0 == .current }
                } catch {
                    await server.stop()
                    throw error
                }
                await server.stop()
            }
        }

        @Test func inARedisClusterToo() async throws {
            let servers = try await RedisClusterServers.start()
            do {
                let redis = try await RedisServer.client(servers.url)
                try await redis.connect()
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(600))
                try await withNode(servers.url, interval: .seconds(600)) { node in
                    try await node.list { $0.count == 600 }
                    var updates = node.updates.makeAsyncIterator()
                    _ = await updates.next()
                    _ = try await store.add(subject("10.9.0.1"))
                    #expect(await updates.next()?.fresh.texts == ["10.9.0.1"])
                }
                await redis.close()
            } catch {
                await servers.stop()
                throw error
            }
            await servers.stop()
        }

        @Test func aHundredThousandEntries() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                try await withNode(port: server.port) { node in
                    try await node.freshness { $0 == .current }
                    let entries = try (0..<100_000).map { index in
                        DenylistEntry(
                            try subject(
                                index % 4 == 0
                                    ? "host-\(index).test" : "10.\(index / 62_500).\(index / 250 % 250).\(index % 250)"),
                            expiry: index % 10 == 0 ? UnixTime(milliseconds: 4_000_000_000_000) : nil,
                            reason: index % 100 == 0 ? try DenylistReason("part of an import") : nil)
                    }
                    let receipt = try await store.load(entries)
                    #expect(receipt.count == 100_000)
                    #expect(receipt.outcomes.allSatisfy { $0 == .added })
                    let list = try await node.list(within: .seconds(120)) { $0.count == 100_000 }
                    #expect(list.digest == Denylist(entries).digest)
                    // Out and in again, as files.
                    let text = DenylistFile.write(try await store.read().sorted())
                    let again = try DenylistFile.read(Array(text.utf8), name: "export")
                    #expect(Denylist(again).digest == list.digest)
                    _ = try await store.add(subject("10.99.0.1"))
                    try await node.list { $0.count == 100_001 }
                }
            }
        }
    }
}
