import NIOCore
package import RedisClient
import Synchronization
package import WasmnetPolicy
package import WasmnetQuota

/// The quotas of a cluster, shared in Redis.
///
/// ``run()`` must run beside it: heartbeats, probes, and what lies idle going back.
package final class RedisLedger: QuotaLedger {
    private let link: ClusterLink
    private let buckets: [LeaseBucket]
    /// How often ``tick()`` is called.
    static let tickInterval = Duration.milliseconds(250)

    package init(redis: RedisClient, settings: ClusterSettings, events: ClusterEvents = ClusterEvents()) {
        let link = ClusterLink(redis: redis, settings: settings, events: events)
        self.link = link
        self.buckets = (0..<RedisKeys.bucketCount).map {
            LeaseBucket(index: $0, reach: link.reach(ofBucket: $0), settings: settings)
        }
    }

    package func allowance(for client: ClientID, limits: QuotaLimits) -> any ClientAllowance {
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

    /// Socket slots that Redis granted to this node's clients; where no limit counts them, none are.
    package var grantedSockets: Int {
        self.buckets.reduce(0) { sum, bucket in sum + bucket.clients.reduce(0) { $0 + $1.grantedSockets } }
    }

    /// What holds while Redis does not answer; for outages that begin from now on.
    package var modes: OutageModes {
        get { self.link.modes }
        set { self.link.modes = newValue }
    }

    package var counters: ClusterCounters { self.link.counters }

    /// Outages that last: 0 or 1, in a Redis Cluster up to one for each bucket.
    package var outages: Int { self.link.outages }

    /// Nodes last heard of, this one included.
    package var nodeCount: Int {
        get { self.link.nodeCount }
        set { self.link.nodeCount = newValue }
    }

    // MARK: Life

    /// Learns the generation of every bucket, so that a loss of data is seen for what it is.
    package func learnGenerations() async throws(RedisError) {
        let questions = self.buckets.map { bucket in
            let (standing, sentAt) = (bucket.peek(), self.link.now)
            return (bucket, standing, sentAt, self.link.askForGeneration(bucket, standing, deadline: .seconds(10)))
        }
        var failure: RedisError?
        for (bucket, standing, sentAt, question) in questions {
            do {
                let numbers = try ClusterLink.numbers(try await question.get(), count: 2)
                self.link.heard(bucket, standing, .done, sentAt: sentAt, generation: numbers[0], renews: false)
            } catch {
                failure = failure ?? (error as? RedisError) ?? .unavailable("\(error)")
            }
        }
        if let failure { throw failure }
    }

    /// Runs until the task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            self.tick()
            try? await Task.sleep(for: Self.tickInterval)
        }
    }

    /// Whatever is due now.
    package func tick() {
        self.link.tick(now: self.link.now)
        for bucket in self.buckets {
            let now = self.link.now
            self.link.leaveIfLapsed(bucket, now: now)
            if let standing = bucket.heartbeat(now: now) {
                self.beat(bucket, standing, now)
            } else if bucket.reach.isProbeDue(now: now) {
                self.beat(bucket, bucket.peek(), now)
            }
            if let standing = bucket.renewal(now: now) { self.renew(bucket, standing, now) }
            guard bucket.clientCount > 0 else { continue }
            for allowance in bucket.clients { allowance.tick(now: now) }
            bucket.sweep(idle: \.isIdle)
        }
    }

    private func beat(_ bucket: LeaseBucket, _ standing: LeaseBucket.Standing, _ sentAt: QuotaInstant) {
        let call = ClusterCall.heartbeat(bucket: bucket.index, standing.inCalls, self.link.settings)
        self.link.run(call, bucket: bucket.index) { [link] result in
            guard case .success(let numbers) = result, let verdict = LeaseBucket.Verdict(rawValue: numbers[0]) else {
                return bucket.missed(now: link.now)
            }
            link.heard(bucket, standing, verdict, sentAt: sentAt, generation: numbers[1], renews: true)
        }
    }

    private func renew(_ bucket: LeaseBucket, _ standing: LeaseBucket.Standing, _ sentAt: QuotaInstant) {
        self.link.askForGeneration(bucket, standing, deadline: nil).whenSuccess { [link] reply in
            guard let numbers = try? ClusterLink.numbers(reply, count: 2) else { return }
            link.heard(bucket, standing, .done, sentAt: sentAt, generation: numbers[0], renews: false)
        }
    }

    /// There is no connection to a server that is alone: its silence began, whether anybody asks or not.
    package func disconnected(_ reason: String) { self.link.disconnected(reason) }

    /// The connection to Redis is new: what was said last may be lost.
    package func reconnected() {
        for bucket in self.buckets where bucket.clientCount > 0 {
            for allowance in bucket.clients { allowance.resync() }
        }
    }

    /// Gives all leases up at once; for a node whose sessions have ended.
    package func retire() async {
        for bucket in self.buckets {
            for allowance in bucket.clients { allowance.giveBytesBack(now: self.link.now) }
        }
        let questions = self.buckets.compactMap { bucket in
            bucket.retire().map { name in
                self.link.redis.submit(
                    ClusterScripts.retire, keys: [.string(RedisKeys.epochs(bucket.index))],
                    arguments: [self.link.clockArgument, .string(name)], deadline: .milliseconds(500))
            }
        }
        for question in questions { _ = try? await question.get() }
    }
}

extension ClusterLink {
    func askForGeneration(
        _ bucket: LeaseBucket, _ standing: LeaseBucket.Standing, deadline: TimeAmount?
    ) -> EventLoopFuture<RESPValue> {
        self.redis.submit(
            ClusterScripts.generation, keys: [.string(RedisKeys.generation(bucket.index))],
            arguments: [
                self.clockArgument, .integer(standing.generation), .integer(self.settings.hold.microseconds),
            ], deadline: deadline)
    }

    /// Carries out what an answer means for a bucket.
    ///
    /// - Parameter renews: whether Redis kept the epoch alive with it, if it is done.
    /// - Returns: whether the slots that it grants are to be believed.
    @discardableResult
    func heard(
        _ bucket: LeaseBucket, _ standing: LeaseBucket.Standing, _ verdict: LeaseBucket.Verdict,
        sentAt: QuotaInstant, generation: Int64, renews: Bool
    ) -> Bool {
        let outcome = bucket.answered(
            standing, verdict, sentAt: sentAt, now: self.now, generation: generation, renews: renews)
        self.carryOut(outcome.consequence)
        return outcome.counts
    }

    /// To be called before anything is sent under the bucket's epoch.
    func leaveIfLapsed(_ bucket: LeaseBucket, now: QuotaInstant) { self.carryOut(bucket.leaveIfLapsed(now: now)) }

    private func carryOut(_ consequence: LeaseBucket.Consequence) {
        switch consequence {
        case .none: break
        case .redeclare(let clients):
            self.counters.fences.wrappingAdd(1, ordering: .relaxed)
            for client in clients { client.redeclare() }
        }
    }
}
