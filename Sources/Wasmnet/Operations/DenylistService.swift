import Logging
import NIOCore
import NIOPosix
import RedisClient
import WasmnetCluster
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay

/// A node's denylist: in force here, kept in Redis for all nodes or in this process for this one.
final class DenylistService: Sendable {
    let inForce: ActiveDenylist
    let store: any DenylistStore
    private let source: Source

    private enum Source: Sendable {
        case process(InProcessDenylist)
        case redis(DenylistFeed)
    }

    /// - Parameters:
    ///   - member: nil: in this process.
    ///   - clock: its instants are microseconds since the Unix epoch.
    init(_ member: ClusterMember?, clock: any RelayClock, logger: Logger) {
        let time: @Sendable () -> UnixTime = { UnixTime(milliseconds: clock.now().microseconds / 1000) }
        self.inForce = ActiveDenylist(systemTime: time())
        if let member {
            self.store = RedisDenylistStore(redis: member.redis)
            self.source = .redis(
                DenylistFeed(
                    redis: member.redis, options: member.options, to: self.inForce, patience: member.patience,
                    isOutage: { member.ledger.outages > 0 }, nodesChanged: { member.changed($0) },
                    group: MultiThreadedEventLoopGroup.singleton, logger: logger))
        } else {
            let list = InProcessDenylist(to: self.inForce, systemTime: time)
            self.store = list
            self.source = .process(list)
        }
    }

    /// Ends what new entries deny.
    func enforce(in environment: RelayEnvironment) {
        self.inForce.observe { [weak environment] update in
            environment?.deny(by: DenylistView(update.fresh, at: update.time))
        }
    }

    /// Follows the store until its task is cancelled.
    func run() async throws {
        switch self.source {
        case .process(let list): await list.run()
        case .redis(let feed): try await feed.run()
        }
    }
}

extension DenylistService {
    private static let loadTime = TimeAmount.seconds(30)

    /// Returns once the list was read: before that the node does not know whom to deny.
    ///
    /// - Parameter name: the name of the Redis option, for error messages.
    /// - Throws: ``StartError`` when that takes longer than half a minute.
    func waitUntilLoaded(from name: String) async throws(StartError) {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        let end = OneShot<Bool>(on: eventLoop)
        self.inForce.whenLoaded { end.succeed(true) }
        let timer = eventLoop.scheduleTask(in: Self.loadTime) { end.succeed(false) }
        defer { timer.cancel() }
        guard await end.wait() == true else {
            let reason = if case .unreachable(let words) = self.inForce.freshness { ": \(words)" } else { "" }
            throw StartError("\(name): the denylist could not be read within half a minute\(reason)")
        }
    }
}
