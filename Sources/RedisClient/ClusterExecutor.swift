import NIOCore

/// Runs commands on a Redis Cluster (Redis Cluster specification, "Client and Server roles in the Redis Cluster
/// protocol"): each on the node of its slot, following `MOVED` and `ASK`, waiting through `TRYAGAIN`.
///
/// Confined to its event loop, with its own slot map and connections.
final class ClusterExecutor: CommandExecutor {
    private enum Target {
        case slot(Int)
        case anyNode
        /// A node the cluster named for this command.
        case node(RedisEndpoint, asking: Bool)
    }

    private struct Attempt {
        let command: RedisCommand
        let promise: EventLoopPromise<RESPValue>
        let allowed: TimeAmount
        let deadline: NIODeadline
        var redirections = 0
        var waits: Backoff
    }

    /// A command redirected more often than this is in a loop.
    private static let maxRedirections = 5

    private let eventLoop: any EventLoop
    private let settings: LinkSettings
    private let nodes: ClusterNodes

    init(eventLoop: any EventLoop, settings: LinkSettings, seeds: [RedisEndpoint]) {
        self.eventLoop = eventLoop
        self.settings = settings
        nodes = ClusterNodes(eventLoop: eventLoop, settings: settings, seeds: seeds)
    }

    func execute(_ unit: CommandUnit) {
        for (command, promise) in zip(unit.commands, unit.promises) {
            let attempt = Attempt(
                command: command, promise: promise, allowed: unit.allowed, deadline: unit.deadline,
                waits: Backoff(base: .milliseconds(10), cap: .milliseconds(200)))
            let target = command.slot.map { Target.slot($0) } ?? .anyNode
            run(attempt, target)
        }
    }

    func ready() -> EventLoopFuture<Void> {
        nodes.ready()
    }

    func relocate(_ reason: RedisError) {
        nodes.refresh()
    }

    func close() {
        nodes.close()
    }

    // MARK: One command

    private func run(_ attempt: Attempt, _ target: Target) {
        guard eventLoop.now < attempt.deadline else {
            return attempt.promise.fail(RedisError.deadline(attempt.allowed))
        }
        guard nodes.hasMap else {
            let this = NIOLoopBound((self, attempt, target), eventLoop: eventLoop)
            let timer = eventLoop.scheduleTask(deadline: attempt.deadline) {
                attempt.promise.fail(RedisError.deadline(attempt.allowed))
            }
            nodes.refresh().whenComplete { outcome in
                timer.cancel()
                let (this, attempt, target) = this.value
                switch outcome {
                case .success: this.run(attempt, target)
                case .failure(let error): attempt.promise.fail(error)
                }
            }
            return
        }
        let link: RedisLink?
        var isAsking = false
        switch target {
        case .slot(let slot): link = nodes.link(slot: slot)
        case .anyNode: link = nodes.anyLink()
        case .node(let endpoint, let asking):
            link = nodes.link(endpoint)
            isAsking = asking
        }
        guard let link else {
            nodes.refresh()
            return attempt.promise.fail(RedisError.cluster("no node serves the slot"))
        }
        send(attempt, target, on: link, asking: isAsking)
    }

    private func send(_ attempt: Attempt, _ target: Target, on link: RedisLink, asking: Bool) {
        let reply = eventLoop.makePromise(of: RESPValue.self)
        var commands = [attempt.command]
        var promises = [reply]
        if asking {
            // Applies to the very next command of the connection, hence the unit.
            commands.insert(["ASKING"], at: 0)
            promises.insert(eventLoop.makePromise(), at: 0)
        }
        let this = NIOLoopBound((self, attempt, target, link), eventLoop: eventLoop)
        reply.futureResult.whenComplete { outcome in
            let (this, attempt, target, link) = this.value
            this.finish(attempt, target, link, outcome)
        }
        link.execute(
            CommandUnit(
                commands: commands, promises: promises, allowed: attempt.allowed, deadline: attempt.deadline))
    }

    private func finish(
        _ attempt: Attempt, _ target: Target, _ link: RedisLink, _ outcome: Result<RESPValue, any Error>
    ) {
        switch outcome {
        case .failure(let error):
            // The slot may have another master by now; repeating this command is up to the caller.
            if (error as? RedisError)?.isOverload != true { nodes.refresh() }
            attempt.promise.fail(error)
        case .success(.error(let error)):
            if let asked = link.endpoint, let redirection = Redirection(error, asked: asked) {
                follow(redirection, attempt)
            } else if error.code == "TRYAGAIN" || error.code == "CLUSTERDOWN" {
                if error.code == "CLUSTERDOWN" { nodes.refresh() }
                retry(attempt, target, error)
            } else {
                attempt.promise.succeed(.error(error))
            }
        case .success(let reply):
            attempt.promise.succeed(reply)
        }
    }

    private func follow(_ redirection: Redirection, _ attempt: Attempt) {
        var attempt = attempt
        attempt.redirections += 1
        guard attempt.redirections <= Self.maxRedirections else {
            return attempt.promise.fail(RedisError.cluster("a command was redirected \(Self.maxRedirections) times"))
        }
        if !redirection.isAsk { nodes.moved(redirection) }
        run(attempt, .node(redirection.endpoint, asking: redirection.isAsk))
    }

    /// A slot that is migrating, or unassigned for a moment: retried later, as far as the deadline allows.
    private func retry(_ attempt: Attempt, _ target: Target, _ error: RedisServerError) {
        var attempt = attempt
        let due = eventLoop.now + attempt.waits.next(settings.random())
        guard due < attempt.deadline else { return attempt.promise.succeed(.error(error)) }
        let this = NIOLoopBound((self, attempt, target), eventLoop: eventLoop)
        eventLoop.scheduleTask(deadline: due) {
            let (this, attempt, target) = this.value
            this.run(attempt, target)
        }
    }
}

extension RedisCommand {
    /// The slot that determines the node; nil for any node.
    fileprivate var slot: Int? {
        switch route {
        case .any: nil
        case .key(let key): key.hashSlot
        case .firstArgument: arguments.count > 1 ? arguments[1].hashSlot : nil
        }
    }
}

extension RedisError {
    fileprivate var isOverload: Bool {
        if case .overloaded = self { return true }
        return false
    }
}
