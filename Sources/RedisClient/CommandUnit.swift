import NIOCore

/// Adjacent commands for one server, and the promises of their replies.
struct CommandUnit: Sendable {
    let commands: [RedisCommand]
    let promises: [EventLoopPromise<RESPValue>]
    /// The time given, for the error when it has passed.
    let allowed: TimeAmount
    let deadline: NIODeadline

    func fail(_ error: RedisError) {
        for promise in promises { promise.fail(error) }
    }
}

/// Runs commands for the callers of one event loop; used on that event loop only.
protocol CommandExecutor: AnyObject {
    /// Completes the promises of the unit, with an error reply as a success.
    func execute(_ unit: CommandUnit)
    /// Succeeds once commands can be sent; fails with the outcome of the first attempt that shows they cannot.
    func ready() -> EventLoopFuture<Void>
    /// Locates the server again because it may be another now.
    func relocate(_ reason: RedisError)
    /// Fails what waits and ends all connections.
    func close()
}
