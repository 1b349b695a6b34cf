package import NIOCore

/// A client of one Redis server, of the master its sentinels name, or of a Redis Cluster.
///
/// ```swift
/// let client = try RedisClient(RedisURL("redis://:secret@localhost/2"), group: group)
/// try await client.connect()
/// try await client.send(["SET", "greeting", "hello", "PX", 1500])
/// let count = try await client.evaluate(script, keys: ["{b}:n"], arguments: [5]).int
/// await client.close()
/// ```
///
/// It connects at once and reconnects whenever necessary, until it is closed. A command is sent once: it is repeated only
/// if the server says it did not run it (redirections of a cluster, a script it does not know). All functions may be
/// called from any thread.
package final class RedisClient: Sendable {
    package let url: RedisURL
    private let member: ClientMember
    private let commandDeadline: TimeAmount
    private let masterWatch: Subscription?

    /// - Throws: ``RedisError/tls(_:_:)`` when the TLS configuration cannot be used.
    package init(
        _ url: RedisURL, options: RedisClientOptions = RedisClientOptions(), group: any EventLoopGroup
    ) throws(RedisError) {
        self.url = url
        commandDeadline = options.commandDeadline
        let settings = LinkSettings(
            connection: try options.connection(url), backoff: options.backoff, random: options.random,
            observer: options.observer)
        let directory = url.sentinelDirectory(settings.connection)
        let eventLoop = group.any()
        let member = ClientMember(eventLoop) { url.makeExecutor(eventLoop, settings, directory) }
        self.member = member
        masterWatch = directory.map { directory in
            directory.watch(settings, on: eventLoop) { reason in member.relocate(reason) }
        }
    }

    // MARK: Futures

    /// Sends a command.
    ///
    /// - Parameter deadline: time for the reply; nil for the default of the options.
    /// - Returns: the reply, on the client's event loop; fails with a ``RedisError``, an error reply as
    ///   ``RedisError/server(_:)``.
    package func submit(
        _ command: RedisCommand, deadline: TimeAmount? = nil
    ) -> EventLoopFuture<RESPValue> {
        let allowed = deadline ?? commandDeadline
        return member.run(command, allowed: allowed, deadline: member.eventLoop.now + allowed)
            .flatMapThrowing(Self.throwing)
    }

    /// Never fails.
    private func submit(
        pipeline commands: [RedisCommand], deadline: TimeAmount?
    ) -> EventLoopFuture<[Result<RESPValue, RedisError>]> {
        let allowed = deadline ?? commandDeadline
        let replies = member.run(commands, allowed: allowed, deadline: member.eventLoop.now + allowed)
        return EventLoopFuture.whenAllComplete(replies.map { $0.flatMapThrowing(Self.throwing) }, on: member.eventLoop)
            .map { results in results.map { $0.mapError { Self.redisError($0) } } }
    }

    /// Runs a script on the server of its keys: by its digest, or by its source if the server does not know it.
    ///
    /// - Parameter keys: in a cluster all of one slot; the first determines the node.
    package func submit(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument] = [], deadline: TimeAmount? = nil
    ) -> EventLoopFuture<RESPValue> {
        let member = self.member
        let allowed = deadline ?? commandDeadline
        let end = member.eventLoop.now + allowed
        return member.run(script.byDigest(keys: keys, arguments: arguments), allowed: allowed, deadline: end)
            .flatMap { reply in
                guard reply.serverError?.code == "NOSCRIPT" else {
                    return member.eventLoop.makeSucceededFuture(reply)
                }
                return member.run(script.bySource(keys: keys, arguments: arguments), allowed: allowed, deadline: end)
            }
            .flatMapThrowing(Self.throwing)
    }

    // MARK: Async

    /// Waits for the connection attempt in progress, or the next one.
    ///
    /// - Throws: why it failed. The client keeps trying.
    package func connect() async throws(RedisError) {
        try await Self.value(member.ready())
    }

    /// As ``submit(_:deadline:)``.
    @discardableResult
    package func send(_ command: RedisCommand, deadline: TimeAmount? = nil) async throws(RedisError) -> RESPValue {
        try await Self.value(submit(command, deadline: deadline))
    }

    /// Sends commands at once, in order; in a cluster each goes to its own node.
    ///
    /// - Returns: one result for each command.
    package func pipeline(
        _ commands: [RedisCommand], deadline: TimeAmount? = nil
    ) async -> [Result<RESPValue, RedisError>] {
        do throws(RedisError) {
            return try await Self.value(submit(pipeline: commands, deadline: deadline))
        } catch {
            return commands.map { _ in .failure(error) }
        }
    }

    /// As ``submit(_:keys:arguments:deadline:)``.
    @discardableResult
    package func evaluate(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument] = [], deadline: TimeAmount? = nil
    ) async throws(RedisError) -> RESPValue {
        try await Self.value(submit(script, keys: keys, arguments: arguments, deadline: deadline))
    }

    /// Ends all connections; commands without a reply fail with ``RedisError/closed``, as do later ones.
    package func close() async {
        masterWatch?.close()
        try? await member.close().get()
    }

    /// Runs something later, on the client's event loop.
    package func schedule(in time: TimeAmount, _ body: @escaping @Sendable () -> Void) {
        member.eventLoop.scheduleTask(in: time, body)
    }

    // MARK: Parts

    private static let throwing: @Sendable (RESPValue) throws -> RESPValue = { reply in
        if let error = reply.serverError { throw RedisError.server(error) }
        return reply
    }

    private static func redisError(_ error: any Error) -> RedisError {
        (error as? RedisError) ?? .unavailable("\(error)")
    }

    private static func value<Value: Sendable>(_ future: EventLoopFuture<Value>) async throws(RedisError) -> Value {
        do {
            return try await future.get()
        } catch {
            throw redisError(error)
        }
    }
}
