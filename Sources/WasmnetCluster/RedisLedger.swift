import NIOCore
package import RedisClient
import Synchronization
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
        self.link = ClusterLink(redis: redis, settings: settings, events: events)
        self.buckets = (0..<RedisKeys.bucketCount).map { LeaseBucket(index: $0, settings: settings) }
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

    package var counters: ClusterCounters { self.link.counters }

    /// Buckets for which Redis does not answer.
    package var degradedBuckets: Int { self.buckets.count { $0.isDegraded } }

    /// Nodes last heard of, this one included.
    package var nodeCount: Int {
        get { self.link.nodeCount }
        set { self.link.nodeCount = newValue }
    }

    // MARK: Life

    /// Learns the generation of every bucket, so that a loss of data is seen for what it is. Again from time to time.
    package func learnGenerations() async throws(RedisError) {
        for bucket in self.buckets {
            let standing = bucket.peek()
            let reply = try await self.link.redis.evaluate(
                ClusterScripts.generation, keys: [.string(RedisKeys.generation(bucket.index))],
                arguments: [
                    self.link.clockArgument, .integer(standing.generation),
                    .integer(self.link.settings.hold.microseconds),
                ], deadline: .seconds(2))
            guard let numbers = reply.array?.compactMap(\.int64), numbers.count == 2 else {
                throw .unavailable("a script answered with something else than two numbers")
            }
            let now = self.link.now
            self.link.answered(
                bucket, standing, sentAt: now, now: now, generation: numbers[0], confirms: false, fenced: false)
        }
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
        let now = self.link.now
        for bucket in self.buckets {
            if let standing = bucket.heartbeat(now: now) ?? bucket.probe(now: now) { self.beat(bucket, standing, now) }
            guard bucket.clientCount > 0 else { continue }
            for allowance in bucket.clients { allowance.tick(now: now) }
            bucket.sweep(idle: \.isIdle)
        }
    }

    private func beat(_ bucket: LeaseBucket, _ standing: LeaseBucket.Standing, _ sentAt: QuotaInstant) {
        self.link.run(
            ClusterScripts.heartbeat, keys: [RedisKeys.generation(bucket.index), RedisKeys.epochs(bucket.index)],
            arguments: [
                .integer(standing.generation), .integer(self.link.settings.hold.microseconds),
                .string(standing.epoch), .integer(self.link.settings.timeToLive.microseconds),
            ], integers: 3
        ) { [link] result in
            let now = link.now
            guard case .success(let numbers) = result else {
                link.failed(bucket, now: now, result)
                return
            }
            link.answered(
                bucket, standing, sentAt: sentAt, now: now, generation: numbers[1],
                confirms: numbers[0] == 1, fenced: numbers[0] == 0)
        }
    }

    /// The connection to Redis is new: what was said last may be lost.
    package func reconnected() {
        for bucket in self.buckets where bucket.clientCount > 0 {
            for allowance in bucket.clients { allowance.resync() }
        }
    }

    /// Gives all leases up at once; for a node whose sessions have ended.
    package func retire() async {
        let retired = self.buckets.compactMap { bucket in bucket.retire().map { (bucket.index, $0) } }
        for (index, epoch) in retired {
            _ = try? await self.link.redis.evaluate(
                ClusterScripts.retire, keys: [.string(RedisKeys.epochs(index))],
                arguments: [self.link.clockArgument, .string(epoch)], deadline: .milliseconds(500))
        }
    }
}

extension ClusterLink {
    /// Carries out what an answer means for a bucket.
    func answered(
        _ bucket: LeaseBucket, _ standing: LeaseBucket.Standing, sentAt: QuotaInstant, now: QuotaInstant,
        generation: Int64, confirms: Bool, fenced: Bool
    ) {
        let (consequence, recovered) = bucket.answered(
            standing, sentAt: sentAt, now: now, generation: generation, confirms: confirms, fenced: fenced)
        if recovered { self.events.modeChanged(self.change(degraded: -1), nil) }
        switch consequence {
        case .none: break
        case .resync(let clients): for client in clients { client.resync() }
        case .redeclare(let clients, let sheds):
            self.counters.fences.wrappingAdd(1, ordering: .relaxed)
            for client in clients { client.redeclare(sheds: sheds) }
        }
    }

    func failed(_ bucket: LeaseBucket, now: QuotaInstant, _ result: Result<[Int64], RedisError>) {
        guard bucket.failed(now: now) else { return }
        let reason: String? = if case .failure(let error) = result { "\(error)" } else { nil }
        self.events.modeChanged(self.change(degraded: 1), reason)
    }
}
