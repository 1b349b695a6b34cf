import NIOConcurrencyHelpers
import NIOCore
import Testing
import WasmnetTesting

@testable import RedisClient

extension WithServers {
    @Suite struct ClusterTests {
        private func withCluster(_ body: (RedisClusterServers) async throws -> Void) async throws {
            let cluster = try await RedisClusterServers.start()
            do {
                try await body(cluster)
            } catch {
                await cluster.stop()
                throw error
            }
            await cluster.stop()
        }

        @Test func keysGoToTheirNodesAndFollowAMovedSlot() async throws {
            try await withCluster { cluster in
                try await withClient(cluster.url) { client in
                    try await client.connect()
                    let sets = (0..<300).map { RedisCommand(["SET", "key\($0)", RedisArgument($0)]) }
                    for result in await client.pipeline(sets) { #expect(try result.get().isOK) }
                    for node in cluster.nodes {
                        #expect(try await node.command("DBSIZE").int ?? 0 > 50)
                    }
                    // "foo" has slot 12182, of the third node; it goes to the first while it is counted up.
                    let slot = HashSlot.of("foo")
                    let script = RedisScript("return redis.call('INCR', KEYS[1])")
                    let counting = Task {
                        var last = 0
                        while !Task.isCancelled {
                            last = try await client.evaluate(script, keys: ["{foo}n"]).int ?? -1
                        }
                        return last
                    }
                    let before = try await redirections(cluster)
                    try await cluster.open(slot, from: 2, to: 0)
                    try await cluster.migrate("{foo}n", from: 2, to: 0)
                    // Requested while the slot is open, a key of the target needs ASK.
                    #expect(try await client.send(["GET", "{foo}n"]).int ?? 0 > 0)
                    try await cluster.assign(slot, from: 2, to: 0)
                    _ = try await client.send(["GET", "{foo}n"])
                    counting.cancel()
                    let last = try await counting.value
                    #expect(last > 0)
                    #expect(try await client.send(["GET", "{foo}n"]).int == last)
                    #expect(try await cluster.nodes[0].command("GET", "{foo}n").int == last)
                    let after = try await redirections(cluster)
                    #expect(after.ask > before.ask)
                    #expect(after.moved > before.moved)
                    // The map was refreshed: no further command is redirected.
                    for _ in 0..<10 { _ = try await client.send(["GET", "{foo}n"]) }
                    #expect(try await redirections(cluster).moved - after.moved <= 1)
                }
            }
        }

        @Test func tryAgainIsTriedAgain() async throws {
            try await withCluster { cluster in
                try await withClient(cluster.url) { client in
                    let slot = HashSlot.of("foo")
                    try await client.send(["MSET", "{foo}a", 1, "{foo}b", 2])
                    try await cluster.open(slot, from: 2, to: 0)
                    try await cluster.migrate("{foo}a", from: 2, to: 0)
                    let both = client.submit(["MGET", "{foo}a", "{foo}b"], deadline: .seconds(20))
                    // The server counts its error replies; nothing else shows that it was asked.
                    while try await errors("TRYAGAIN", cluster) == 0 { try await Task.sleep(for: .milliseconds(10)) }
                    try await cluster.migrate("{foo}b", from: 2, to: 0)
                    try await cluster.assign(slot, from: 2, to: 0)
                    #expect(try await both.get().array?.map(\.int) == [1, 2])
                }
            }
        }

        @Test func aDeadNodeLeavesTheOthers() async throws {
            try await withCluster { cluster in
                try await withClient(cluster.url) { client in
                    try await client.connect()
                    await cluster.nodes[0].kill()
                    // "foo" is the third node's; "bar" has slot 5061, of the first.
                    try await client.send(["SET", "foo", 1])
                    await #expect(throws: RedisError.self) { try await client.send(["SET", "bar", 1]) }
                    try await client.send(["SET", "foo", 1])
                    try await cluster.nodes[0].launch()
                    try await cluster.settle()
                    try await client.connect()
                    try await client.send(["SET", "bar", 1])
                }
            }
        }

        @Test func aPromotedReplicaIsFound() async throws {
            try await withCluster { cluster in
                let replica = try await cluster.addReplica(of: 0)
                do {
                    try await withClient(cluster.url) { client in
                        // "bar" has slot 5061, of the first node.
                        try await client.send(["SET", "bar", 1])
                        let replicated = RedisCommand(["WAIT", 1, 5000], route: .key("bar"))
                        #expect(try await client.send(replicated, deadline: .seconds(10)).int == 1)
                        await cluster.nodes[0].kill()
                        // The cluster votes at its own pace; until then each command fails at once.
                        var found: RESPValue?
                        while found == nil {
                            found = try? await client.send(["GET", "bar"])
                            if found == nil { try await Task.sleep(for: .milliseconds(20)) }
                        }
                        #expect(found?.int == 1)
                        #expect(try await replica.command("ROLE").array?.first?.string == "master")
                        try await client.send(["SET", "bar", 2])
                    }
                } catch {
                    await replica.stop()
                    throw error
                }
                await replica.stop()
            }
        }

        @Test func aCircleOfRedirectionsEnds() async throws {
            let address = NIOLockedValueBox("")
            let sent = NIOLockedValueBox(0)
            let node = try await ScriptedServer { words in
                if words == ["CLUSTER", "SLOTS"] {
                    let port = address.withLockedValue { $0 }.split(separator: ":").last ?? ""
                    return "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:\(port)\r\n"
                }
                sent.withLockedValue { $0 += 1 }
                return "-MOVED 12182 \(address.withLockedValue { $0 })\r\n"
            }
            address.withLockedValue { $0 = node.address }
            try await withClient(RedisURL(topology: .cluster([node.endpoint]))) { client in
                await #expect(throws: RedisError.cluster("a command was redirected 5 times")) {
                    try await client.send(["GET", "foo"])
                }
            }
            #expect(sent.withLockedValue { $0 } == 6)
            await node.close()
        }

        @Test func noNodeAnswers() async throws {
            let absent = RedisEndpoint.host("127.0.0.1", port: try await RedisServer.freePort())
            try await withClient(RedisURL(topology: .cluster([absent]))) { client in
                await #expect(throws: RedisError.connectionRefused(absent)) { try await client.connect() }
            }
        }

        private func errors(_ code: String, _ cluster: RedisClusterServers) async throws -> Int {
            var sum = 0
            for node in cluster.nodes {
                let text = try await node.command("INFO", "errorstats").string ?? ""
                for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix("errorstat_\(code):count=") {
                    sum += line.split(separator: "=").last.flatMap { Int($0) } ?? 0
                }
            }
            return sum
        }

        private func redirections(_ cluster: RedisClusterServers) async throws -> (moved: Int, ask: Int) {
            (try await errors("MOVED", cluster), try await errors("ASK", cluster))
        }
    }
}
