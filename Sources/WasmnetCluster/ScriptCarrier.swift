package import NIOCore
package import RedisClient

/// Sends the ledger's scripts to Redis, and returns the answers.
package protocol ScriptCarrier: Sendable {
    /// Whether each key may be on another server.
    var isCluster: Bool { get }

    /// Runs a script on the server of its keys.
    ///
    /// - Parameters:
    ///   - deadline: nil: the carrier's default.
    ///   - done: called once, later, on any thread.
    func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument], deadline: TimeAmount?,
        then done: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void)

    func schedule(in time: TimeAmount, _ body: @escaping @Sendable () -> Void)
}

extension RedisClient: ScriptCarrier {
    package var isCluster: Bool { if case .cluster = self.url.topology { true } else { false } }

    package func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument], deadline: TimeAmount?,
        then done: @escaping @Sendable (Result<RESPValue, RedisError>) -> Void
    ) {
        self.submit(script, keys: keys, arguments: arguments, deadline: deadline).whenComplete { result in
            done(result.mapError { ($0 as? RedisError) ?? .unavailable("\($0)") })
        }
    }
}
