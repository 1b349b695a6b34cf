import NIOCore

/// What a link needs, apart from its event loop.
struct LinkSettings: Sendable {
    var connection: RedisConnectionOptions
    var backoff = Backoff()
    var random: @Sendable () -> Double
    var observer: @Sendable (RedisLinkEvent) -> Void
}

/// A connection came up or went down.
package enum RedisLinkEvent: Sendable, Equatable {
    case up(RedisEndpoint)
    /// The connection ended, or an attempt failed; the endpoint is nil if none was found.
    case down(RedisEndpoint?, RedisError)
}

/// Keeps one connection to one server: finds it, connects, and starts again when the connection ends.
///
/// Confined to its event loop. During an attempt commands wait for it within their deadlines; between
/// attempts they fail at once, so that a caller never waits for a server known to be away.
final class RedisLink: CommandExecutor {
    private enum State {
        case connecting
        case up(RedisConnection)
        case waiting(RedisError, Scheduled<Void>)
        case closed
    }

    private struct Queued {
        let unit: CommandUnit
        let timer: Scheduled<Void>
    }

    private let eventLoop: any EventLoop
    private let settings: LinkSettings
    private let locator: RedisLocator
    private let onPush: (@Sendable (RESPValue) -> Void)?
    private var backoff: Backoff
    private var state = State.connecting
    /// Commands that wait for the attempt in progress.
    private var queue: [Queued] = []
    /// The endpoint of the last connection.
    private(set) var endpoint: RedisEndpoint?
    private var watchers: [EventLoopPromise<Void>] = []
    /// Set if the server may have changed during an attempt.
    private var isAttemptStale = false

    /// Starts with an attempt at once.
    init(
        eventLoop: any EventLoop, settings: LinkSettings, locator: RedisLocator,
        onPush: (@Sendable (RESPValue) -> Void)? = nil
    ) {
        self.eventLoop = eventLoop
        self.settings = settings
        self.locator = locator
        self.onPush = onPush
        backoff = settings.backoff
        attempt()
    }

    // MARK: Commands

    func execute(_ unit: CommandUnit) {
        switch state {
        case .up(let connection):
            connection.submit(
                unit.commands, allowed: unit.allowed, deadline: unit.deadline, promises: unit.promises)
        case .connecting:
            guard queue.count < settings.connection.maxInFlight else {
                return unit.fail(.overloaded(inFlight: queue.count))
            }
            let timer = eventLoop.scheduleTask(deadline: unit.deadline) { unit.fail(.deadline(unit.allowed)) }
            queue.append(Queued(unit: unit, timer: timer))
        case .waiting(let reason, _):
            unit.fail(.unavailable("\(reason)"))
        case .closed:
            unit.fail(.closed)
        }
    }

    func ready() -> EventLoopFuture<Void> {
        switch state {
        case .up: return eventLoop.makeSucceededVoidFuture()
        case .closed: return eventLoop.makeFailedFuture(RedisError.closed)
        case .waiting, .connecting:
            let promise = eventLoop.makePromise(of: Void.self)
            watchers.append(promise)
            return promise.futureResult
        }
    }

    var isUp: Bool {
        if case .up = state { return true }
        return false
    }

    // MARK: Attempts

    private func attempt() {
        state = .connecting
        isAttemptStale = false
        let connection = settings.connection
        let found = locator.locate(eventLoop)
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        found.flatMap { [locator, onPush, eventLoop] endpoint in
            RedisConnection.connect(to: endpoint, options: connection, on: eventLoop, onPush: onPush)
                .flatMap { connection in
                    locator.greet(connection).map { connection }.flatMapErrorThrowing { error in
                        connection.close(reason: RedisError.wrapping(error, at: endpoint))
                        throw error
                    }
                }
                .flatMapErrorThrowing { error in
                    throw AttemptFailure(endpoint: endpoint, error: RedisError.wrapping(error, at: endpoint))
                }
        }.hop(to: eventLoop).whenComplete { this.value.attempted($0) }
    }

    private struct AttemptFailure: Error {
        let endpoint: RedisEndpoint
        let error: RedisError
    }

    private func attempted(_ outcome: Result<RedisConnection, any Error>) {
        guard case .connecting = state else {
            if case .success(let connection) = outcome { connection.close() }
            return
        }
        switch outcome {
        case .success(let connection):
            state = .up(connection)
            endpoint = connection.endpoint
            let since = eventLoop.now
            let this = NIOLoopBound(self, eventLoop: eventLoop)
            connection.ended.whenSuccess { this.value.ended(connection, $0, since: since) }
            settings.observer(.up(connection.endpoint))
            let waited = queue
            queue = []
            for queued in waited {
                queued.timer.cancel()
                // Its caller has been notified of the failure, so it must not run any more.
                guard queued.unit.deadline > eventLoop.now else {
                    queued.unit.fail(.deadline(queued.unit.allowed))
                    continue
                }
                execute(queued.unit)
            }
            settle(.success(()))
            if isAttemptStale { relocate(.unavailable("the server may have changed")) }
        case .failure(let failure):
            let attempt = failure as? AttemptFailure
            let error = attempt?.error ?? (failure as? RedisError) ?? .unavailable("\(failure)")
            down(attempt?.endpoint, error)
        }
    }

    private func ended(_ connection: RedisConnection, _ reason: RedisError, since: NIODeadline) {
        guard case .up(let current) = state, current === connection else { return }
        // Only a connection that lasted counts as success: a server that drops each new one must not be hammered.
        if eventLoop.now - since >= settings.backoff.cap { backoff.reset() }
        down(connection.endpoint, reason)
    }

    private func down(_ endpoint: RedisEndpoint?, _ reason: RedisError) {
        // An attempt at a server that has since been replaced says nothing about its replacement.
        let wait = isAttemptStale ? .zero : backoff.next(settings.random())
        isAttemptStale = false
        let this = NIOLoopBound(self, eventLoop: eventLoop)
        state = .waiting(reason, eventLoop.scheduleTask(in: wait) { this.value.attempt() })
        settings.observer(.down(endpoint, reason))
        failQueue(reason)
        settle(.failure(reason))
    }

    private func failQueue(_ reason: RedisError) {
        let waited = queue
        queue = []
        for queued in waited {
            queued.timer.cancel()
            queued.unit.fail(reason)
        }
    }

    private func settle(_ outcome: Result<Void, any Error>) {
        let settled = watchers
        watchers = []
        for watcher in settled { watcher.completeWith(outcome) }
    }

    func relocate(_ reason: RedisError) {
        switch state {
        case .up(let connection): connection.close(reason: reason)
        case .waiting(_, let timer):
            timer.cancel()
            attempt()
        case .connecting: isAttemptStale = true
        case .closed: break
        }
    }

    func close() {
        let last = state
        state = .closed
        switch last {
        case .up(let connection): connection.close()
        case .waiting(_, let timer): timer.cancel()
        case .connecting: failQueue(.closed)
        case .closed: break
        }
        settle(.failure(RedisError.closed))
    }
}
