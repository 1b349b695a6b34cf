import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import RedisClient
import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

/// The tests that need a redis-server, one after the other: each starts its own.
@Suite(.serialized) enum OnRedis {}

extension RedisServer {
    /// A client with deadlines that a busy machine keeps.
    func client(deadline: TimeAmount = .seconds(20), maxInFlight: Int = 200_000) async throws -> RedisClient {
        var options = RedisClientOptions(commandDeadline: deadline, maxInFlight: maxInFlight)
        options.backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(20))
        let client = try RedisClient(
            RedisURL(topology: .single(.host("127.0.0.1", port: self.port))), options: options,
            group: MultiThreadedEventLoopGroup.singleton)
        try await client.connect()
        return client
    }
}

/// The data of an empty server begins, and there is no other node.
func beginData(_ redis: RedisClient) async throws {
    let clock = ManualClock()
    var settings = ClusterSettings { clock.now() }
    settings.usesOwnClock = true
    try await RedisLedger(redis: redis, settings: settings).learnGenerations(isAlone: true)
}

/// Runs a test with a server and a client of it.
func withRedis(
    _ configuration: String = "port PORT", _ body: (RedisServer, RedisClient) async throws -> Void
) async throws {
    try await withServer(configuration) { server in
        let client = try await server.client()
        do {
            try await body(server, client)
        } catch {
            await client.close()
            throw error
        }
        await client.close()
    }
}
