import Foundation
import NIOCore
import Testing
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetProtocol
import Wasmnet
import WasmnetTesting

/// Tests of nodes that share limits. They take turns: each keeps the machine busy, and the bounds are about time.
@Suite(.serialized, .timeLimit(.minutes(3))) struct Cluster {}

/// Nodes in this process, on one Redis.
struct Fleet: Sendable {
    let redis: RedisServer
    let meter: Meter
    let nodes: [TestNode]

    /// Runs a body with so many nodes, and ends them all whatever happens.
    static func run(
        _ count: Int = 3, policy: String, redisConfiguration: String = "port PORT",
        url: (RedisServer) -> String = { "redis://127.0.0.1:\($0.port)" },
        _ body: (Fleet) async throws -> Void
    ) async throws {
        let redis = try await RedisServer.start(redisConfiguration)
        let meter = try await Meter.start()
        var nodes: [TestNode] = []
        var failure: (any Error)?
        do {
            for _ in 0..<count { nodes.append(try await self.node(policy, url: url(redis))) }
            try await body(Fleet(redis: redis, meter: meter, nodes: nodes))
        } catch {
            failure = error
        }
        for node in nodes { await node.stop() }
        await meter.stop()
        await redis.stop()
        if let failure { throw failure }
    }

    static func node(_ policy: String, url: String, _ configure: (inout ServerConfiguration) -> Void = { _ in })
        async throws -> TestNode
    {
        try await TestNode.start(policy: try PolicyFile.parse(policy, file: "test.toml")) { configuration in
            configuration.redis = RedisOptions(url: url)
            configure(&configuration)
        }
    }

    /// One client hammers all nodes at once.
    func hammer(
        width: Int, for time: TimeAmount, hold: TimeAmount = .milliseconds(100), pause: TimeAmount = .milliseconds(50),
        meanwhile body: @Sendable @escaping () async throws -> Void = {}
    ) async throws -> Hammer.Tally {
        let target = self.meter.port
        return try await withThrowingTaskGroup(of: Hammer.Tally.self) { tasks in
            for node in self.nodes {
                let port = node.port
                tasks.addTask {
                    try await Hammer.run(
                        node: port, target: target, width: width, for: time, hold: hold, pause: pause)
                }
            }
            tasks.addTask {
                try await body()
                return Hammer.Tally()
            }
            var tally = Hammer.Tally()
            for try await one in tasks { tally = tally + one }
            return tally
        }
    }
}
