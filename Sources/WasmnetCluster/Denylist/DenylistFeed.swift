package import Logging
package import NIOCore
package import RedisClient
import WasmnetNet
import WasmnetPolicy

/// Keeps a node's denylist in step with Redis.
///
/// It subscribes first, so that changes published during the read queue up behind it; then it reads the list and applies the published
/// changes. A change that does not follow the last one, a renewed subscription, and in any case an interval of 5 s make it
/// poll Redis: missing changes come from the log, or, where that does not reach back far enough or version and digest do not match,
/// from the whole list.
///
/// The last list stays in force while Redis is out of reach. It also stays when Redis returns without it (a restart without
/// persistence, an old snapshot, a replica that lagged): then it is written back, or joined with what was added there, see
/// ``DenylistMend``. Only a list that replaces it ends it: ``DenylistStore/load(_:replaces:)`` and ``DenylistStore/clear()``.
package struct DenylistFeed: Sendable {
    private let redis: RedisClient
    private let options: RedisClientOptions
    private let inForce: ActiveDenylist
    private let interval: Duration
    private let deadline: TimeAmount
    private let patience: TimeAmount
    private let isOutage: @Sendable () -> Bool
    private let nodesChanged: @Sendable (NodeRegistry.Change) -> Void
    private let group: any EventLoopGroup
    private let logger: Logger

    /// - Parameters:
    ///   - redis: for everything but the subscription, which has its own connection to the same URL.
    ///   - options: for the subscription's connection.
    ///   - interval: how often it polls Redis in any case.
    ///   - deadline: time for each answer of Redis. Default 2 s.
    ///   - patience: how long Redis may be away before a warning is logged. Default 15 s.
    ///   - isOutage: whether the outage is already logged elsewhere.
    ///   - nodesChanged: called when nodes join or leave, which they announce on the same channel.
    package init(
        redis: RedisClient, options: RedisClientOptions = RedisClientOptions(), to inForce: ActiveDenylist,
        interval: Duration = DenylistLimits.interval, deadline: TimeAmount = .seconds(2),
        patience: TimeAmount = .seconds(15),
        isOutage: @escaping @Sendable () -> Bool = { false },
        nodesChanged: @escaping @Sendable (NodeRegistry.Change) -> Void = { _ in }, group: any EventLoopGroup,
        logger: Logger
    ) {
        self.redis = redis
        self.options = options
        self.inForce = inForce
        self.interval = interval
        self.deadline = deadline
        self.patience = patience
        self.isOutage = isOutage
        self.nodesChanged = nodesChanged
        self.group = group
        self.logger = logger
    }

    private enum Wake: Sendable {
        case event(RedisSubscriber.Event)
        case tick
        case retry
        case expiry
    }

    /// How long it waits after a failure, or for another node, before it polls again.
    private static let retry = Duration.milliseconds(500)

    /// Runs until its task is cancelled.
    ///
    /// - Throws: ``RedisError/tls(_:_:)`` when the TLS configuration of the subscription cannot be used.
    package func run() async throws {
        let subscriber = try RedisSubscriber(
            self.redis.url, channels: [RedisKeys.denylistChannel], options: self.options, group: self.group)
        defer { subscriber.close() }
        // Dropped changes are not missed for long: the versions show the gap, at the latest at the next tick.
        let (wakes, source) = AsyncStream.makeStream(of: Wake.self, bufferingPolicy: .bufferingOldest(1024))
        await withDiscardingTaskGroup { tasks in
            tasks.addTask {
                for await event in subscriber.events { source.yield(.event(event)) }
                source.finish()
            }
            tasks.addTask { [interval] in
                repeat { source.yield(.tick) } while await Self.sleep(interval)
            }
            var follower = DenylistFollower(
                redis: self.redis, deadline: self.deadline, inForce: self.inForce, patience: self.patience,
                isOutage: self.isOutage, logger: self.logger)
            var isRetrying = false
            var sweepAt: UnixTime?
            for await wake in wakes {
                switch wake {
                case .event(.message(_, let payload)):
                    if let change = NodeRegistry.Change(payload) {
                        self.nodesChanged(change)
                    } else {
                        await follower.take(payload)
                    }
                case .event(.gap), .tick: await follower.ask()
                case .retry:
                    isRetrying = false
                    await follower.ask()
                case .expiry:
                    sweepAt = nil
                    await follower.sweep()
                }
                if follower.hasFailed || follower.isWaiting, !isRetrying {
                    isRetrying = true
                    tasks.addTask { if await Self.sleep(Self.retry) { source.yield(.retry) } }
                }
                if let next = follower.nextSweep(), sweepAt.map({ next < $0 }) ?? true {
                    sweepAt = next
                    // Staggered, so that the first node spares the others the work.
                    let wait = self.wait(until: next) + .milliseconds(Int64(self.options.random() * 1000))
                    tasks.addTask { if await Self.sleep(wait) { source.yield(.expiry) } }
                }
            }
            tasks.cancelAll()
        }
    }

    private func wait(until moment: UnixTime) -> Duration {
        let (left, overflows) = moment.milliseconds.subtractingReportingOverflow(self.inForce.now.milliseconds)
        // A day at most, then the clocks are compared again.
        return .milliseconds(overflows ? 86_400_000 : min(max(left, 0), 86_400_000))
    }

    /// - Returns: whether it was not cancelled.
    private static func sleep(_ time: Duration) async -> Bool {
        do {
            try await Task.sleep(for: time)
            return true
        } catch {
            return false
        }
    }
}
