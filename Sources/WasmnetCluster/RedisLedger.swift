import NIOCore
package import RedisClient
import Synchronization
import WasmnetNet
package import WasmnetPolicy
package import WasmnetQuota

/// The quotas of a cluster, shared in Redis.
///
/// ``run()`` must run beside it: it sends heartbeats and probes, and returns what is idle.
package final class RedisLedger: QuotaLedger {
    private let link: ClusterLink
    private let buckets: [LeaseBucket]
    private let lookout: Guarded<Lookout>
    /// How often ``tick()`` is called.
    static let tickInterval = Duration.milliseconds(250)

    /// - Parameter bucketCount: fewer only if all clients are known to be in the first.
    package init(
        redis: any ScriptCarrier, settings: ClusterSettings, events: ClusterEvents = ClusterEvents(),
        bucketCount: Int = RedisKeys.bucketCount
    ) {
        let link = ClusterLink(carrier: redis, settings: settings, events: events)
        self.link = link
        self.buckets = (0..<bucketCount).map {
            LeaseBucket(index: $0, reach: link.reach(ofBucket: $0), settings: settings)
        }
        self.lookout = Guarded(Lookout(isCluster: redis.isCluster, bucketCount: bucketCount))
    }

    package func allowance(for client: ClientID, limits: ClientLimits) -> any ClientAllowance {
        let bucket = self.buckets[RedisKeys.bucket(of: client)]
        let (allowance, isNew) = bucket.allowance(for: client) {
            RedisAllowance(client: client, limits: limits, bucket: $0, link: self.link)
        }
        if !isNew { allowance.apply(limits: limits) }
        return allowance
    }

    package var counts: QuotaCounts {
        QuotaCounts(
            clients: self.buckets.reduce(0) { $0 + $1.clientCount }, sessions: self.link.totals.inUse(.session),
            sockets: self.link.totals.inUse(.socket), forgottenEarly: 0)
    }

    /// A client's allowance on this node; nil for one that is not here.
    package func knownAllowance(of client: ClientID) -> (any ClientAllowance)? {
        self.buckets[RedisKeys.bucket(of: client)].known(client)
    }

    /// Socket slots of this node's clients: those that Redis granted, and those in use without a grant. Both are 0 for clients without a
    /// limit on sockets.
    package var socketSlots: (granted: Int, loose: Int) {
        var sum = (granted: 0, loose: 0)
        for client in self.buckets.lazy.flatMap(\.clients) {
            let slots = client.socketSlots
            sum = (sum.granted + slots.granted, sum.loose + slots.loose)
        }
        return sum
    }

    /// How long the present roll call has lasted; zero where there is none.
    package var rollCallTime: QuotaDuration { self.link.rollCallTime(now: self.link.now) ?? .zero }

    /// The modes used while Redis does not answer; for outages that begin from now on.
    package var modes: OutageModes {
        get { self.link.modes }
        set { self.link.modes = newValue }
    }

    package var counters: ClusterCounters { self.link.counters }

    /// Outages in progress: 0 or 1, in a Redis Cluster up to one for each bucket.
    package var outages: Int { self.link.outages }

    /// In an outage: the error code of a Redis that refuses queries, such as OOM or READONLY; nil where it does not answer.
    package var refusalCode: String? { self.link.refusalCode }

    /// Nodes in the last registry read, this one included.
    package var nodeCount: Int {
        get { self.link.nodeCount }
        set { self.link.nodeCount = newValue }
    }

    /// The nodes in the registry were read.
    package func registered(_ ids: [String]) {
        self.nodeCount = ids.count
        let (others, now) = (ids.filter { $0 != self.link.settings.nodeID }, self.link.now)
        self.link.peers.withLock { $0.read(others, now: now) }
        // A roll call may have waited for it.
        for bucket in self.buckets { self.answerRollCall(of: bucket) }
    }

    /// A node announced its departure: no roll call waits for it.
    package func left(_ id: String) { self.link.peers.withLock { $0.left(id) } }

    // MARK: Lifecycle

    /// Learns the generation of every bucket, so that a loss is recognized as one.
    ///
    /// - Parameter isAlone: whether there is no other node; otherwise data that begins now may be what others lost, and nothing grows until
    ///   they have had time to say so.
    package func learnGenerations(isAlone: Bool) async throws(RedisError) {
        let failure = await withCheckedContinuation { done in
            self.learnGenerations(isAlone: isAlone) { done.resume(returning: $0) }
        }
        if let failure { throw failure }
    }

    func learnGenerations(isAlone: Bool, then done: @escaping @Sendable (RedisError?) -> Void) {
        self.askAll({ self.askForGeneration(of: $0, deadline: .seconds(10), then: $1) }) { failure in
            guard failure == nil, isAlone else { return done(failure) }
            for bucket in self.buckets { bucket.noOtherIsThere() }
            self.askAll({ self.answerRollCall(of: $0, then: $1) }, then: done)
        }
    }

    private final class Answers: Sendable {
        let state: Guarded<(left: Int, failure: RedisError?)>

        init(count: Int) { self.state = Guarded((count, nil)) }
    }

    /// Sends a query for every bucket, and continues once all have answered.
    private func askAll(
        _ ask: (LeaseBucket, @escaping @Sendable (RedisError?) -> Void) -> Void,
        then done: @escaping @Sendable (RedisError?) -> Void
    ) {
        let answers = Answers(count: self.buckets.count)
        for bucket in self.buckets {
            ask(bucket) { failure in
                let (left, first) = answers.state.withLock { state in
                    state = (state.left - 1, state.failure ?? failure)
                    return state
                }
                if left == 0 { done(first) }
            }
        }
    }

    /// How often a loss of a bucket's data was noticed.
    package var losses: Int { self.link.losses }

    /// Buckets in which nothing grows until all nodes have declared again what they hold.
    package var rollCalls: Int { self.buckets.count { $0.isInRollCall } }

    /// Runs until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            self.tick()
            try? await Task.sleep(for: Self.tickInterval)
        }
    }

    /// Does all that is due now.
    package func tick() {
        self.link.tick(now: self.link.now)
        self.lookForLoss()
        for bucket in self.buckets {
            let now = self.link.now
            self.beatIfDue(bucket, now)
            self.answerRollCall(of: bucket)
            guard bucket.clientCount > 0 else { continue }
            for allowance in bucket.clients { allowance.tick(now: now) }
            bucket.sweep(idle: \.isIdle)
        }
        self.link.lookAtRollCall(now: self.link.now) { self.rollCalls > 0 }
    }

    /// Sends a heartbeat or, while nothing is answered, a probe.
    private func beatIfDue(_ bucket: LeaseBucket, _ now: QuotaInstant) {
        self.link.leaveIfLapsed(bucket, now: now)
        if let leaseState = bucket.heartbeat(now: now) {
            self.beat(bucket, leaseState, now)
        } else if bucket.reach.isProbeDue(now: now) {
            self.beat(bucket, bucket.currentState(now: now), now)
        }
    }

    private func beat(_ bucket: LeaseBucket, _ leaseState: LeaseBucket.LeaseState, _ sentAt: QuotaInstant) {
        let leases = bucket.leasesToCompare(atMost: ClusterCall.maxLeases)
        let call = ClusterCall.heartbeat(
            bucket: bucket.index, leases: leases.map(\.key), leaseState.inCalls, self.link.settings)
        self.link.run(call, bucket: bucket.index) { [link] result in
            guard case .success(let numbers) = result, let status = LeaseBucket.ReplyStatus(rawValue: numbers[0]) else {
                return bucket.missed(now: link.now)
            }
            link.heard(bucket, leaseState, status, sentAt: sentAt, numbers[1], hold: numbers[2], renews: true)
            for (index, lease) in leases.enumerated() where numbers[3] >> Int64(index) & 1 == 1 {
                lease.client.leaseIsGone(lease.resource)
            }
        }
    }

    /// Checks a bucket or a few, so that a loss is noticed even without queries: within a second where one server has all, and within
    /// five where each bucket may be on another, which heartbeats notice as well. Once one is noticed, checks all.
    private func lookForLoss() {
        guard self.link.outages == 0 else { return }
        let (isLoss, indices) = self.lookout.withLock {
            $0.next(losses: self.link.losses, hasHeard: self.link.hasHeardOfData())
        }
        for bucket in self.buckets[indices] where isLoss || !bucket.isJoined {
            self.askForGeneration(of: bucket, deadline: nil) { _ in }
        }
    }

    private func askForGeneration(
        of bucket: LeaseBucket, deadline: TimeAmount?, then done: @escaping @Sendable (RedisError?) -> Void
    ) {
        let now = self.link.now
        let leaseState = bucket.currentState(now: now)
        let call = ClusterCall.generation(bucket: bucket.index, leaseState.inCalls, self.link.settings)
        self.link.run(call, bucket: bucket.index, deadline: deadline) { [link] result in
            switch result {
            case .success(let numbers):
                link.heard(bucket, leaseState, .done, sentAt: now, numbers[0], hold: numbers[1], renews: false)
                done(nil)
            case .failure(let error): done(error)
            }
        }
    }

    /// In a roll call, reports that all is declared once it is.
    private func answerRollCall(of bucket: LeaseBucket, then done: @escaping @Sendable (RedisError?) -> Void = { _ in })
    {
        guard bucket.isInRollCall else { return done(nil) }
        let now = self.link.now
        let peers = self.link.peers.withLock { $0 }
        let due = bucket.rollCall(now: now, peersReadAt: peers.readAt, isDeclared: \.isDeclared)
        guard let (step, leaseState) = due, step != .wait else { return done(nil) }
        if step == .readPeers {
            self.link.events.peersNeeded()
            return done(nil)
        }
        // No node has an empty name, so a node that does not know its peers yet never ends a roll call.
        let others = step == .declare ? [""] : peers.ids
        let call = ClusterCall.rollCall(bucket: bucket.index, peers: others, leaseState.inCalls, self.link.settings)
        self.link.run(call, bucket: bucket.index) { [link] result in
            switch result {
            case .success(let numbers):
                link.heard(bucket, leaseState, .done, sentAt: now, numbers[1], hold: numbers[2], renews: false)
                if step == .answer {
                    link.isMissing(others.enumerated().filter { numbers[3] >> $0.offset & 1 == 1 }.map(\.element))
                }
                done(nil)
            case .failure(let error): done(error)
            }
        }
    }

    /// The connection to a single server is gone: its silence began, with or without a query.
    package func disconnected(_ reason: RedisError) { self.link.disconnected(reason) }

    /// The connection to Redis is new: the last declarations may be lost, and what is unanswered is asked again at once.
    package func reconnected() {
        self.link.connected()
        for bucket in self.buckets {
            self.beatIfDue(bucket, self.link.now)
            for allowance in bucket.clients { allowance.resync() }
        }
    }

    /// Releases all leases at once; for a node whose sessions have ended.
    package func retire() async {
        for bucket in self.buckets {
            for allowance in bucket.clients { allowance.giveBytesBack(now: self.link.now) }
        }
        await withCheckedContinuation { continuation in
            self.askAll({ self.retire($0, then: $1) }) { _ in continuation.resume() }
        }
    }

    private func retire(_ bucket: LeaseBucket, then done: @escaping @Sendable (RedisError?) -> Void) {
        guard let name = bucket.retire() else { return done(nil) }
        self.link.carrier.run(
            ClusterScripts.retire, keys: [.string(RedisKeys.epochs(bucket.index))],
            arguments: [self.link.clockArgument, .string(name)], deadline: .milliseconds(500)
        ) { _ in done(nil) }
    }
}

extension ClusterLink {
    /// Applies an answer to a bucket.
    ///
    /// - Parameter renews: whether Redis kept the epoch alive with it, if it is done.
    /// - Returns: whether the slots that it grants are valid.
    @discardableResult
    func heard(
        _ bucket: LeaseBucket, _ leaseState: LeaseBucket.LeaseState, _ status: LeaseBucket.ReplyStatus,
        sentAt: QuotaInstant, _ generation: Int64, hold: Int64, renews: Bool
    ) -> Bool {
        let data = LeaseBucket.Data(generation: generation, hold: .microseconds(hold))
        self.heardOfData()
        let outcome = bucket.answered(leaseState, status, sentAt: sentAt, now: self.now, data: data, renews: renews)
        if outcome.isLoss { self.noticedLoss() }
        self.carryOut(outcome.effect)
        return outcome.counts
    }

    /// Must be called before anything is sent under the bucket's epoch.
    func leaveIfLapsed(_ bucket: LeaseBucket, now: QuotaInstant) { self.carryOut(bucket.leaveIfLapsed(now: now)) }

    private func carryOut(_ effect: LeaseBucket.Effect) {
        switch effect {
        case .none: break
        case .redeclare(let clients):
            self.counters.fences.wrappingAdd(1, ordering: .relaxed)
            for client in clients { client.redeclare() }
        }
    }
}
