import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// What the feed makes of messages, connections and data that are lost.
    @Suite(.timeLimit(.minutes(3))) struct LossTests {
        @Test func killedSubscribersMissNothing() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(10))
                // Ticks are far away: only the subscription that stands again can tell of the change.
                try await withNode(port: server.port, interval: .seconds(600)) { node in
                    try await node.list { $0.count == 10 }
                    for round in 1...20 {
                        #expect(try await redis.run("CLIENT", "KILL", "TYPE", "pubsub").int ?? 0 <= 1)
                        _ = try await store.add(subject("10.9.0.\(round)"))
                        try await node.list { $0.count == 10 + round }
                    }
                    #expect(node.inForce.list.digest == (try await store.read()).digest)
                }
            }
        }

        @Test func aMessageThatNeverCameIsMadeUpForWithinSixSeconds() async throws {
            try await withRedis { server, redis in
                try await FaultProxy.with(port: server.port) { thief in
                    let store = RedisDenylistStore(redis: redis)
                    _ = try await store.load(someEntries(10))
                    try await withNode(port: thief.port) { node in
                        try await node.list { $0.count == 10 }
                        // The subscription stands once a message has come through.
                        var count = 10
                        repeat {
                            count += 1
                            _ = try await store.add(subject("10.8.0.\(count)"))
                        } while (try? await node.list(within: .milliseconds(300)) { [count] in $0.count == count })
                            == nil
                        thief.set(.theft)
                        _ = try await store.add(subject("10.9.0.1"))
                        try await node.list(within: .seconds(6)) { [count] in $0.count == count + 1 }
                        #expect(thief.stolen == 1)
                        // The next message shows that one is missing.
                        _ = try await store.add(subject("10.9.0.2"))
                        thief.set(.none)
                        _ = try await store.add(subject("10.9.0.3"))
                        try await node.list(within: .seconds(6)) { [count] in $0.count == count + 3 }
                        #expect(node.inForce.list.digest == (try await store.read()).digest)
                    }
                }
            }
        }

        @Test func whoWasAwayForLongerThanTheLogReadsTheWholeList() async throws {
            try await withRedis { server, redis in
                try await FaultProxy.with(port: server.port) { thief in
                    let store = RedisDenylistStore(redis: redis, logLength: 50)
                    _ = try await store.load(someEntries(10))
                    try await withNode(port: thief.port, interval: .milliseconds(500), deadline: .milliseconds(300)) {
                        node in
                        try await node.list { $0.count == 10 }
                        let known = node.inForce.list
                        thief.set(.silence)
                        try await node.standing { if case .unreachable = $0 { true } else { false } }
                        let away = try #require(node.inForce.age)
                        for entry in try someEntries(1000, 2) { _ = try await store.add(entry.subject) }
                        _ = try await store.remove(subject("10.1.0.1"))
                        let poll = try await DenylistPoll.ask(
                            redis, generation: known.generation, version: known.version, deadline: .seconds(5))
                        #expect(poll.status == .trimmed)
                        // The list stays in force, and its age shows.
                        #expect(node.inForce.list.version == known.version)
                        #expect(try #require(node.inForce.age) > away)
                        thief.set(.none)
                        let list = try await node.list { $0.count == 1009 }
                        #expect(list.digest == (try await store.read()).digest)
                        try await node.standing { $0 == .current }
                    }
                }
            }
        }

        @Test func anEmptyRedisDoesNotEndTheList() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(1000))
                try await withNode(port: server.port, interval: .milliseconds(100)) { node in
                    let list = try await node.list { $0.count == 1000 }
                    try await redis.run("FLUSHALL")
                    try await node.standing { $0 == .missing }
                    let age = try #require(node.inForce.age)
                    #expect(node.inForce.list.version == list.version)
                    #expect(try await store.read().generation == 0)
                    // Nor does a removal, which finds nothing.
                    #expect(try await store.remove(subject("10.1.0.1")).outcomes == [.absent])
                    try await node.standing { $0 == .missing }
                    #expect(node.inForce.view.entry(for: nil, IPAddress(v4: (10, 1, 0, 1)), port: 443) != nil)
                    #expect(try #require(node.inForce.age) >= age)
                    // A new list does, once it is complete: nothing in between is ever in force.
                    let counts = NIOLockedValueBox<[Int]>([])
                    node.inForce.observe { update in counts.withLockedValue { $0.append(update.list.count) } }
                    _ = try await store.load(someEntries(1200, 2))
                    try await node.list { $0.count == 1200 }
                    #expect(counts.withLockedValue { $0 } == [1200])
                    #expect(node.inForce.view.entry(for: nil, IPAddress(v4: (10, 1, 0, 1)), port: 443) == nil)
                    try await node.standing { $0 == .current }
                    // So does one that replaces it, and an operator who clears it.
                    _ = try await store.load(someEntries(1100, 3), replaces: true)
                    try await node.list { $0.count == 1100 }
                    #expect(counts.withLockedValue { $0 } == [1200, 1100])
                    _ = try await store.clear()
                    try await node.list { $0.isEmpty }
                    try await node.standing { $0 == .current }
                }
            }
        }

        @Test func aRestartWithoutDataDoesNotEndTheList() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(300))
                try await withNode(port: server.port, interval: .milliseconds(100)) { node in
                    try await node.list { $0.count == 300 }
                    await server.kill()
                    try await node.standing { if case .unreachable = $0 { true } else { false } }
                    #expect(node.inForce.list.count == 300)
                    try await server.launch()
                    try await node.standing { $0 == .missing }
                    #expect(node.inForce.list.count == 300)
                    _ = try await withTimeout(.seconds(20)) {
                        while true {
                            if let receipt = try? await store.add(subject("10.9.0.1")) { return receipt }
                            try await Task.sleep(for: .milliseconds(10))
                        }
                    }
                    try await node.list { $0.texts == ["10.9.0.1"] }
                    try await node.standing { $0 == .current }
                }
            }
        }

        /// What a replica that lagged behind makes of the list when it becomes master.
        @Test func aListThatWentBackIsReadAnew() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(20))
                let keys = [
                    RedisKeys.denylist, RedisKeys.denylistEntries, RedisKeys.denylistLog,
                ]
                try await withNode(port: server.port, interval: .milliseconds(100)) { node in
                    try await node.list { $0.count == 20 }
                    for key in keys { try await redis.run("COPY", .string(key), .string("old" + key)) }
                    _ = try await store.load(someEntries(5, 2))
                    try await node.list { $0.count == 25 }
                    for key in keys { try await redis.run("COPY", .string("old" + key), .string(key), "REPLACE") }
                    try await node.list { $0.count == 20 && $0.version == 20 }
                    // Gone back, and gone another way since: the version is the same, the digest is not.
                    _ = try await store.load(someEntries(5, 3))
                    try await node.list { $0.count == 25 }
                    for key in keys { try await redis.run("COPY", .string("old" + key), .string(key), "REPLACE") }
                    _ = try await store.load(someEntries(5, 4))
                    let expected = try await store.read().texts
                    let list = try await node.list { $0.texts == expected }
                    #expect((list.version, list.count) == (25, 25))
                }
            }
        }
    }
}
