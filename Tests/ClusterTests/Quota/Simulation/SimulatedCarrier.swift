import NIOCore
import RedisClient

@testable import WasmnetCluster

/// A node's connections to Redis, one for each server: a script runs on the server of its keys.
final class SimulatedCarrier: ScriptCarrier, @unchecked Sendable {
    private unowned let node: SimulatedNode

    init(_ node: SimulatedNode) { self.node = node }

    var isCluster: Bool { self.node.links.count > 1 }

    func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument], deadline: TimeAmount?,
        then done: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void
    ) {
        self.node.links[self.server(of: keys[0])]
            .run(script, keys: keys, arguments: arguments, deadline: deadline, then: done)
    }

    /// The first buckets have a server each, as far as there are servers. The registry and all others are on the first.
    private func server(of key: RedisArgument) -> Int {
        guard case .string(let text) = key else { return 0 }
        let bucket = HashSlot.of(text) / (HashSlot.count / RedisKeys.bucketCount)
        return bucket < self.node.links.count ? bucket : 0
    }

    func schedule(in time: TimeAmount, _ body: @escaping @Sendable () -> Void) {
        self.node.after(time.nanoseconds / 1000, body)
    }
}
