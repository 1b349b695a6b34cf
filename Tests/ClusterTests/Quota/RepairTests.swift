import NIOConcurrencyHelpers
import RedisClient
import Synchronization
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// A key of another type than the node's is removed.
    @Suite struct RepairTests {
        /// All of them fail, and all of them begin a repair; one finds the key.
        @Test func howeverManyRequestsMeetAKeyOfAnotherTypeItIsToldOnceAndByName() async throws {
            try await withNodes(1) { server, clock, nodes in
                let (node, bucket) = (nodes[0], 7)
                let names = (0..<10_000).map { "t:\($0)" }
                    .filter { RedisKeys.bucket(of: ClientID(text: $0)) == bucket }
                    .prefix(5)
                let limits = ClientLimits.only(maxConnections: 9)
                let clients = names.map { node.client(limits, named: $0) }
                // From now on Redis knows the script.
                #expect(await node.client(limits).open() == nil)
                let key = RedisKeys.epochs(bucket)
                try await node.redis.send(["SET", .string(key), "nonsense"])
                // All are sent before one is answered.
                server.pause()
                let answers = clients.map { $0.allowance.begin(.socket, now: clock.now()) }
                server.resume()
                for answer in answers {
                    for await case .failure(let refusal) in answer { Issue.record("\(refusal)") }
                }
                try await node.settle()
                let repaired = node.repaired.withLockedValue { $0 }
                #expect(repaired.count == 1 && repaired.first?.removed == 1, "\(repaired)")
                #expect(repaired.first?.keys.contains(key) == true, "\(repaired)")
                #expect(node.ledger.counters.failures.load(ordering: .relaxed) > 1)
                #expect(node.ledger.outages == 0)
                #expect(try await node.redis.send(["TYPE", .string(key)]).string == "zset")
            }
        }
    }
}
