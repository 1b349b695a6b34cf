import Logging
import NIOCore
import NIOPosix
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetQuota
import WasmnetProtocol
import WasmnetRelay
import Wasmnet
import WasmnetCluster
import WasmnetTesting

/// Tests of nodes that share limits. They run one at a time: each keeps the machine busy, and the bounds are about time.
@Suite(.serialized, .timeLimit(.minutes(3))) struct Cluster {}

/// Nodes in this process, on one Redis.
struct Fleet: Sendable {
    let redis: RedisServer
    /// In front of Redis.
    let proxy: FaultProxy
    let meter: Meter
    let nodes: [TestNode]

    /// Runs a body with this many nodes that know each other, and ends them all in any case.
    ///
    /// Nodes and targets share this process' event loops. If the targets are busy an answer may take seconds, which is not an outage
    /// for a test with a deadline of that length.
    ///
    /// - Parameter deadline: how long nodes wait for an answer; a silence of that length, a second at least, is an outage.
    /// - Parameter url: where they count, if not in the fleet's own Redis through the proxy.
    /// - Parameter isRedisLate: whether the nodes start without Redis, which the body must launch.
    static func run(
        _ count: Int = 3, policy: String, clocks: [any RelayClock] = [],
        deadline: TimeAmount = .milliseconds(50), url: String? = nil, isRedisLate: Bool = false,
        _ body: (Fleet) async throws -> Void
    ) async throws {
        let redis = try await RedisServer.start()
        if isRedisLate { await redis.kill() }
        let proxy = try await FaultProxy.start(to: redis.port)
        let meter = try await Meter.start()
        var nodes: [TestNode] = []
        var failure: (any Error)?
        do {
            for index in 0..<count {
                let clock = clocks.isEmpty ? nil : clocks[index % clocks.count]
                nodes.append(
                    try await self.node(policy, url: url ?? "redis://127.0.0.1:\(proxy.port)") {
                        $0.clock = clock
                        $0.redis?.answerTime = .microseconds(deadline.nanoseconds / 1000)
                        $0.redis?.outageSeconds = max(1, Int(deadline.nanoseconds / 1_000_000_000))
                        $0.redis?.isOptional = isRedisLate
                    })
            }
            let fleet = Fleet(redis: redis, proxy: proxy, meter: meter, nodes: nodes)
            if !isRedisLate { try await fleet.comes { $0.nodes.allSatisfy { $0.cluster?.nodeCount == count } } }
            try await body(fleet)
        } catch {
            failure = error
        }
        for node in nodes { await node.stop() }
        await meter.stop()
        await proxy.stop()
        await redis.stop()
        if let failure { throw failure }
    }

    static func node(_ policy: String, url: String, _ configure: (inout ServerConfiguration) -> Void = { _ in })
        async throws -> TestNode
    {
        var rules = try PolicyFile.parse(policy, file: "test.toml").rules
        // Clients here request more than their limit without pause.
        rules.limits.refusalsPerSecond = 0
        rules.limits.sessionsPerSecond = 0
        return try await TestNode.start(policy: Policy(rules)) { configuration in
            var options = RedisOptions(url: url)
            options.nodeHeartbeat = .milliseconds(100)
            configuration.redis = options
            configure(&configuration)
        }
    }

    struct DoesNotCome: Error {}

    /// Waits until a condition is true that sends no notification.
    func comes(within time: Duration = .seconds(30), _ condition: (Fleet) -> Bool) async throws {
        let end = ContinuousClock.now + time
        while !condition(self) {
            guard ContinuousClock.now < end else { throw DoesNotCome() }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Waits until a node uses its outage modes.
    func isDegraded() async throws { try await self.comes { $0.nodes.contains { $0.isOut } } }

    /// Waits until none does.
    func isValid() async throws { try await self.comes { $0.nodes.allSatisfy { !$0.isOut } } }

    /// One client floods all nodes at once.
    func hammer(
        width: Int, for time: TimeAmount, hold: TimeAmount = .milliseconds(400), pause: TimeAmount = .milliseconds(50),
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

extension TestNode {
    var isOut: Bool { (self.cluster?.outages ?? 0) > 0 }
}
