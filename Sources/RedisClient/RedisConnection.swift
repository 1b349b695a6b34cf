package import NIOCore
import NIOPosix

/// One connection to one server, authenticated and with its database selected.
///
/// It ends on the first error and is never reused: ``RedisClient`` makes a new one.
/// All its functions may be called from any thread.
package final class RedisConnection: Sendable {
    package let endpoint: RedisEndpoint
    package let eventLoop: any EventLoop
    /// Succeeds once the connection has ended, with the reason.
    package let ended: EventLoopFuture<RedisError>

    private let options: RedisConnectionOptions
    private let pipeline: NIOLoopBound<CommandPipeline>

    private init(
        endpoint: RedisEndpoint, eventLoop: any EventLoop, ended: EventLoopFuture<RedisError>,
        options: RedisConnectionOptions, pipeline: NIOLoopBound<CommandPipeline>
    ) {
        self.endpoint = endpoint
        self.eventLoop = eventLoop
        self.ended = ended
        self.options = options
        self.pipeline = pipeline
    }

    /// Connects and sends the introduction: AUTH, CLIENT SETNAME, SELECT and PING, as far as configured.
    ///
    /// - Parameter onPush: receives the messages of subscriptions, on the event loop.
    /// - Returns: fails with a ``RedisError``, after the connect timeout at the latest.
    package static func connect(
        to endpoint: RedisEndpoint, options: RedisConnectionOptions, on eventLoop: any EventLoop,
        onPush: (@Sendable (RESPValue) -> Void)? = nil
    ) -> EventLoopFuture<RedisConnection> {
        options.serverFound?(endpoint)
        let deadline = eventLoop.now + options.connectTimeout
        let result = eventLoop.makePromise(of: RedisConnection.self)
        let timer = eventLoop.scheduleTask(deadline: deadline) {
            result.fail(RedisError.connectTimeout(endpoint))
        }
        eventLoop.flatSubmit { open(endpoint, options, eventLoop, onPush) }
            .flatMap { connection in connection.introduce(deadline: deadline).map { connection } }
            .flatMapErrorThrowing { error in
                throw ConnectFailure.classify(error, at: endpoint) ?? RedisError.connectFailed(endpoint, "\(error)")
            }
            .whenComplete { outcome in
                timer.cancel()
                result.completeWith(outcome)
                guard case .success(let connection) = outcome else { return }
                // Too late: the timer has failed the result already, so nothing else would close it.
                result.futureResult.whenFailure { _ in connection.close(reason: .connectTimeout(endpoint)) }
            }
        return result.futureResult
    }

    private static func open(
        _ endpoint: RedisEndpoint, _ options: RedisConnectionOptions, _ eventLoop: any EventLoop,
        _ onPush: (@Sendable (RESPValue) -> Void)?
    ) -> EventLoopFuture<RedisConnection> {
        let ended = eventLoop.makePromise(of: RedisError.self)
        let pipeline = NIOLoopBound(
            CommandPipeline(
                endpoint: endpoint, maxInFlight: options.maxInFlight, limits: options.limits, ended: ended,
                onPush: onPush, onReply: options.replyObserver),
            eventLoop: eventLoop)
        let bootstrap = ClientBootstrap(group: eventLoop)
            .connectTimeout(options.connectTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls = options.tls {
                        try channel.pipeline.syncOperations.addHandler(tls.makeHandler(for: endpoint))
                    }
                    try channel.pipeline.syncOperations.addHandler(pipeline.value)
                }
            }
        let channel =
            switch endpoint {
            case .host(let host, let port):
                bootstrap.channelOption(ChannelOptions.tcpOption(.tcp_nodelay), value: 1)
                    .connect(host: host, port: port)
            case .unixSocket(let path):
                bootstrap.connect(unixDomainSocketPath: path)
            }
        channel.whenFailure { _ in
            // The handler never saw a channel when the connect itself failed; the promise must not leak.
            pipeline.value.end(.closed)
        }
        return channel.map { channel in
            if let address = channel.remoteAddress, let host = address.ipAddress, let port = address.port {
                options.serverFound?(.host(host, port: port))
            }
            return RedisConnection(
                endpoint: endpoint, eventLoop: eventLoop, ended: ended.futureResult, options: options,
                pipeline: pipeline)
        }
    }

    /// Sends the introductory commands of a new connection; ends the connection when one fails.
    private func introduce(deadline: NIODeadline) -> EventLoopFuture<Void> {
        let steps = options.introduction
        let replies = send(steps.map(\.command), allowed: options.connectTimeout, deadline: deadline)
        return EventLoopFuture.whenAllSucceed(replies, on: eventLoop)
            .flatMapThrowing { [endpoint] replies in
                for (step, reply) in zip(steps, replies) {
                    if let error = step.failure(reply, endpoint) { throw error }
                }
            }
            .flatMapError { [eventLoop, ended] error in
                // Ended before the first command: the reason of the end is more informative than that none could be sent.
                guard case RedisError.unavailable = error else { return eventLoop.makeFailedFuture(error) }
                return ended.flatMapThrowing { reason in throw reason }
            }
            .flatMapErrorThrowing { [endpoint] error in
                let reason =
                    if case RedisError.deadline = error { RedisError.connectTimeout(endpoint) } else {
                        RedisError.wrapping(error, at: endpoint)
                    }
                self.close(reason: reason)
                throw reason
            }
    }

    /// Sends one command.
    ///
    /// - Parameter deadline: time for the answer; nil for the default of the options.
    /// - Returns: the reply, possibly an error reply; fails with a ``RedisError`` when there is none.
    package func send(_ command: RedisCommand, deadline: TimeAmount? = nil) -> EventLoopFuture<RESPValue> {
        let allowed = deadline ?? options.commandDeadline
        let promise = eventLoop.makePromise(of: RESPValue.self)
        submit([command], allowed: allowed, deadline: eventLoop.now + allowed, promises: [promise])
        return promise.futureResult
    }

    /// Sends adjacent commands: no other caller's commands come between.
    package func send(_ commands: [RedisCommand], deadline: TimeAmount? = nil) -> [EventLoopFuture<RESPValue>] {
        let allowed = deadline ?? options.commandDeadline
        return send(commands, allowed: allowed, deadline: eventLoop.now + allowed)
    }

    private func send(
        _ commands: [RedisCommand], allowed: TimeAmount, deadline: NIODeadline
    ) -> [EventLoopFuture<RESPValue>] {
        let promises = commands.map { _ in eventLoop.makePromise(of: RESPValue.self) }
        submit(commands, allowed: allowed, deadline: deadline, promises: promises)
        return promises.map(\.futureResult)
    }

    /// The underlying form: completes promises, of this connection's event loop, created by the caller.
    func submit(
        _ commands: [RedisCommand], allowed: TimeAmount, deadline: NIODeadline,
        promises: [EventLoopPromise<RESPValue>]
    ) {
        if eventLoop.inEventLoop {
            pipeline.value.submit(commands, allowed: allowed, deadline: deadline, promises: promises)
        } else {
            eventLoop.execute { [pipeline] in
                pipeline.value.submit(commands, allowed: allowed, deadline: deadline, promises: promises)
            }
        }
    }

    /// Ends the connection at once; commands without an answer fail with the reason.
    package func close(reason: RedisError = .closed) {
        if eventLoop.inEventLoop {
            pipeline.value.end(reason)
        } else {
            eventLoop.execute { [pipeline] in pipeline.value.end(reason) }
        }
    }
}
