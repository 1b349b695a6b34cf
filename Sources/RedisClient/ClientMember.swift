import NIOCore

/// A client's commands on one event loop, reached from any thread.
struct ClientMember: Sendable {
    let eventLoop: any EventLoop
    private let executor: NIOLoopBoundBox<(any CommandExecutor)?>

    /// - Parameter make: called on the event loop, before anything else of this member runs there.
    init(_ eventLoop: any EventLoop, make: @escaping @Sendable () -> any CommandExecutor) {
        self.eventLoop = eventLoop
        let executor = NIOLoopBoundBox.makeEmptyBox(valueType: (any CommandExecutor).self, eventLoop: eventLoop)
        self.executor = executor
        if eventLoop.inEventLoop {
            executor.value = make()
        } else {
            eventLoop.execute { executor.value = make() }
        }
    }

    /// Runs one command.
    func run(_ command: RedisCommand, allowed: TimeAmount, deadline: NIODeadline) -> EventLoopFuture<RESPValue> {
        let promise = eventLoop.makePromise(of: RESPValue.self)
        execute(CommandUnit(commands: [command], promises: [promise], allowed: allowed, deadline: deadline))
        return promise.futureResult
    }

    /// Runs commands in order, adjacent as far as they go to one server.
    func run(
        _ commands: [RedisCommand], allowed: TimeAmount, deadline: NIODeadline
    ) -> [EventLoopFuture<RESPValue>] {
        let promises = commands.map { _ in eventLoop.makePromise(of: RESPValue.self) }
        execute(CommandUnit(commands: commands, promises: promises, allowed: allowed, deadline: deadline))
        return promises.map(\.futureResult)
    }

    private func execute(_ unit: CommandUnit) {
        onEventLoop { executor in
            if let executor { executor.execute(unit) } else { unit.fail(.closed) }
        }
    }

    func ready() -> EventLoopFuture<Void> {
        eventLoop.flatSubmit { [eventLoop, executor] in
            executor.value?.ready() ?? eventLoop.makeFailedFuture(RedisError.closed)
        }
    }

    func relocate(_ reason: RedisError) {
        onEventLoop { $0?.relocate(reason) }
    }

    func close() -> EventLoopFuture<Void> {
        eventLoop.submit { [executor] in
            executor.value?.close()
        }
    }

    private func onEventLoop(_ body: @escaping @Sendable ((any CommandExecutor)?) -> Void) {
        if eventLoop.inEventLoop {
            body(executor.value)
        } else {
            eventLoop.execute { [executor] in body(executor.value) }
        }
    }
}

extension RedisURL {
    /// The executor for this topology; called on the event loop.
    func makeExecutor(
        _ eventLoop: any EventLoop, _ settings: LinkSettings, _ directory: SentinelDirectory?
    ) -> any CommandExecutor {
        switch topology {
        case .cluster(let seeds): ClusterExecutor(eventLoop: eventLoop, settings: settings, seeds: seeds)
        case .single, .sentinel:
            RedisLink(eventLoop: eventLoop, settings: settings, locator: locator(directory))
        }
    }

    /// Finds a server that can answer for all: in a cluster any node.
    func locator(_ directory: SentinelDirectory?) -> RedisLocator {
        switch topology {
        case .single(let endpoint): .fixed(endpoint)
        case .sentinel: directory?.masterLocator ?? .rotating([])
        case .cluster(let seeds): .rotating(seeds)
        }
    }

    /// Nil without sentinels.
    func sentinelDirectory(_ connection: RedisConnectionOptions) -> SentinelDirectory? {
        guard case .sentinel(let endpoints, let master, let credentials) = topology else { return nil }
        var options = connection
        options.credentials = credentials
        options.database = 0
        return SentinelDirectory(sentinels: endpoints, master: master, options: options)
    }
}
