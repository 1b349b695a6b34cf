import NIOCore
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetCluster

extension DenylistOnRedis {
    /// The feed with lost messages and connections.
    @Suite(.timeLimit(.minutes(3))) struct LossTests {
        @Test func killedSubscribersMissNothing() async throws {
            try await withRedis { server, redis in
                let store = RedisDenylistStore(redis: redis)
                _ = try await store.load(someEntries(10))
                // Ticks are far away: only the restored subscription can report the change.
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
                        // The subscription works once a message has arrived.
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
                        try await node.freshness { if case .unreachable = $0 { true } else { false } }
                        let away = try #require(node.inForce.age)
                        for entry in try someEntries(1000, 2) { _ = try await store.add(entry.subject) }
                        _ = try await store.remove(subject("10.1.0.1"))
                        let poll = try await DenylistPoll.ask(
                            redis, generation: known.generation, version: known.version, deadline: .seconds(5))
                        #expect(poll.status == .trimmed)
                        // The list stays in force, and its age is reported.
                        #expect(node.inForce.list.version == known.version)
                        #expect(try #require(node.inForce.age) > away)
                        thief.set(.none)
                        let list = try await node.list { $0.count == 1009 }
                        #expect(list.digest == (try await store.read()).digest)
                        try await node.freshness { $0 == .current }
                    }
                }
            }
        }
    }
}
