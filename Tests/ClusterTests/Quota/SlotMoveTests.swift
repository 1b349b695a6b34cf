import NIOCore
import NIOPosix
import RedisClient
import Testing
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// generation.lua in a Redis Cluster: the origin of data that a server did not write itself.
    @Suite(.timeLimit(.minutes(2))) struct SlotMoveTests {
        private func generation(of bucket: Int, _ redis: RedisClient, known: Int64 = 0) async throws -> Int64 {
            let keys = [RedisKeys.generation(bucket), RedisKeys.epochs(bucket)].map { RedisArgument.string($0) }
            let reply = try await redis.evaluate(
                ClusterScripts.generation, keys: keys, arguments: [0, .integer(known), 16_000_000, 0, 0],
                deadline: .seconds(2))
            return reply.array?.first?.int64 ?? 0
        }

        /// A bucket in a third of the slots.
        private func bucket(in third: Int) throws -> Int {
            try #require((0..<RedisKeys.bucketCount).first { HashSlot.of(RedisKeys.generation($0)) / 5462 == third })
        }

        /// The move brings all of it; a replica may lack the last.
        @Test func aMovedSlotKeepsItsGenerationAndAFailoverDoesNot() async throws {
            let cluster = try await RedisClusterServers.start()
            var replica: RedisServer?
            var failure: (any Error)?
            do {
                let redis = try RedisClient(cluster.url, group: MultiThreadedEventLoopGroup.singleton)
                let failsOver = try self.bucket(in: 0)
                let first = try await self.generation(of: failsOver, redis)
                replica = try await cluster.addReplica(of: 0)
                await cluster.nodes[0].kill()
                // The cluster votes at its own pace; until then each command fails at once.
                var second: Int64?
                while second == nil {
                    second = try? await self.generation(of: failsOver, redis, known: first)
                    if second == nil { try await Task.sleep(for: .milliseconds(20)) }
                }
                #expect(second ?? 0 > first)

                let moves = try self.bucket(in: 1)
                let key = RedisKeys.generation(moves)
                let before = try await self.generation(of: moves, redis)
                for (from, to) in [(1, 2), (2, 1), (1, 2)] {
                    try await cluster.open(HashSlot.of(key), from: from, to: to)
                    try await cluster.migrate(key, from: from, to: to)
                    try await cluster.assign(HashSlot.of(key), from: from, to: to)
                    #expect(try await self.generation(of: moves, redis, known: before) == before)
                }
                await redis.close()
            } catch {
                failure = error
            }
            await replica?.stop()
            await cluster.stop()
            if let failure { throw failure }
        }
    }
}
