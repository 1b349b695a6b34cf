import NIOCore

/// How a link finds its server, again for every attempt.
struct RedisLocator: Sendable {
    /// The endpoint to connect to; fails with a ``RedisError``.
    var locate: @Sendable (any EventLoop) -> EventLoopFuture<RedisEndpoint>
    /// The last step of a connection's introduction, run on its event loop; a failure ends the connection.
    var greet: @Sendable (RedisConnection) -> EventLoopFuture<Void>

    init(
        locate: @escaping @Sendable (any EventLoop) -> EventLoopFuture<RedisEndpoint>,
        greet: @escaping @Sendable (RedisConnection) -> EventLoopFuture<Void> = {
            $0.eventLoop.makeSucceededVoidFuture()
        }
    ) {
        self.locate = locate
        self.greet = greet
    }

    /// Always the same server.
    static func fixed(_ endpoint: RedisEndpoint) -> RedisLocator {
        RedisLocator { $0.makeSucceededFuture(endpoint) }
    }
}
