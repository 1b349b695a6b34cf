import NIOConcurrencyHelpers
import NIOCore
import RedisClient

@testable import WasmnetCluster

/// A Redis that answers every script with the same error.
final class RefusingCarrier: ScriptCarrier {
    let isCluster = false
    private let error: RedisError
    private let repairCount = NIOLockedValueBox(0)

    init(_ error: RedisError) {
        self.error = error
    }

    /// How often it was asked to remove keys of the wrong type.
    var repairs: Int { self.repairCount.withLockedValue { $0 } }

    func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument], deadline: TimeAmount?,
        then done: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void
    ) {
        if script == ClusterScripts.repair { self.repairCount.withLockedValue { $0 += 1 } }
        done(.failure(self.error))
    }

    /// Nothing that waits is looked at again.
    func schedule(in time: TimeAmount, _ body: @escaping @Sendable () -> Void) {}
}
