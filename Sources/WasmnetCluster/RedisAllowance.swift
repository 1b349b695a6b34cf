import RedisClient
import Synchronization
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota

/// What one client may use on this node, drawn from what the cluster shares in Redis.
///
/// Every decision is made in values under one lock (``LocalGrant``, ``ByteBudget``, ``OutageBudget``, ``Outage``); queries are sent after
/// its release. A caller that needs what is not here waits for an answer: for a slot ``ClusterSettings/slotWait``, for rates and
/// bandwidth ``ClusterSettings/answerTime``, and then uses the outage budget. In an outage the policy's modes decide at once.
final class RedisAllowance: ClientAllowance, SlotOwner {
    let client: ClientID
    let onNode = NodeLimits()
    let bucket: LeaseBucket
    let link: ClusterLink
    let state: Guarded<State>
    let quantum = Atomic<Int>(.max)
    let countsBytes = Atomic<Bool>(false)
    /// False: nothing stopped the bytes at the last check under the lock; the next ones are charged there, with a new check.
    let mayPause = Atomic<Bool>(true)
    /// False: the day's bytes were not spent at the last check.
    let mayBeSpent = Atomic<Bool>(true)

    typealias Completion = @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void

    struct Waiter: Sendable {
        var what: Reservation
        var since: QuotaInstant
        var completion: Completion
        /// Queries sent for it.
        var queries = 0

        /// One may be answered too late, or with one grant for many; the next shows what is missing. No answer is worth asking
        /// forever.
        static let maxQueries = 2
        /// Including those left unanswered because an epoch or the data was gone.
        static let maxQueriesUnheard = 8
    }

    struct State: Sendable {
        var limits: ClientLimits
        /// The epoch that the grants' slots were granted under.
        var epoch: UInt64
        var grants = LocalGrants()
        var waiters = PerResource<[Waiter]>([])
        /// A check of the waiters is scheduled.
        var isLookDue = PerResource(false)
        /// Of queries about slots and requests that nothing waits for.
        var pace = QueryPace(interval: .milliseconds(220), burst: 5)
        var bytes = ByteBudget()
        /// What may pass, of rates and bandwidth, while there is no answer.
        var budget = OutageBudget()
        /// The rules in force while Redis is out of reach.
        var outage: Outage?

        var waiterCount: Int { ResourceKind.allCases.reduce(0) { $0 + self.waiters[$1].count } }
    }

    init(client: ClientID, limits: ClientLimits, bucket: LeaseBucket, link: ClusterLink) {
        self.client = client
        self.bucket = bucket
        self.link = link
        var state = State(limits: limits, epoch: bucket.epoch)
        state.grants.apply(limits)
        state.bytes.apply(limits)
        self.state = Guarded(state)
        self.publish(limits)
    }

    // MARK: Slots and rates

    func reserve(
        _ what: Reservation, now: QuotaInstant, later: @escaping Completion
    ) -> Result<QuotaSlot?, QuotaRefusal>? {
        let resource = what.resource
        let (answer, asksNow): (Result<Void, QuotaRefusal>?, Bool) = self.state.withLock { state in
            self.follow(&state, now)
            if what == .session { state.bytes.prepare(now: now) }
            if what == .socket, let wait = state.bytes.isDaySpent(now) {
                return (.failure(QuotaRefusal(kind: .dayBytes, retryAfter: wait)), false)
            }
            if state.outage != nil || state.waiters[resource].isEmpty || self.isSilent(now) {
                switch self.take(what, &state, now) {
                case .taken:
                    return (.success(()), state.outage == nil && state.grants[resource].shouldRequest(now: now))
                case .refused(let refusal): return (.failure(refusal), false)
                case .unknown, .lacksRequest: break
                }
            }
            guard self.mayWait(state, now) else { return (.failure(QuotaRefusal.unanswered), false) }
            state.waiters[resource].append(Waiter(what: what, since: now, completion: later))
            self.link.waiting.wrappingAdd(1, ordering: .relaxed)
            return (nil, true)
        }
        self.link.counters.reserved(waited: answer == nil)
        if answer == nil { self.lookLater(resource) }
        if asksNow { self.ask(resource) }
        if what == .session { self.askForBytes() }
        return answer.map { $0.map { self.slot(for: what) } }
    }

    /// Whether one more may wait. While Redis answers, no wait is long; while it does not, the number of waiters is bounded.
    private func mayWait(_ state: State, _ now: QuotaInstant) -> Bool {
        let most = self.link.settings.maxWaiting
        return !self.isSilent(now)
            || (state.waiterCount < most.client && self.link.waiting.load(ordering: .relaxed) < most.node)
    }

    /// Whether there was no answer for longer than rates and bandwidth wait.
    func isSilent(_ now: QuotaInstant) -> Bool {
        self.bucket.reach.isSilent(for: self.link.settings.answerTime, now: now)
    }

    /// Takes what is available, or in an outage what its rules allow; then the decision is never unknown.
    func take(_ what: Reservation, _ state: inout State, _ now: QuotaInstant) -> LocalGrant.Decision {
        let isValid = self.bucket.isValid(epoch: state.epoch, now: now)
        let outage = state.outage
        let slots = what.slotKind.flatMap { outage?.slotsInAll($0) } ?? 0
        let answer = state.grants[what.resource].take(
            what.need, now: now, isLeaseValid: isValid, slotsInAll: slots,
            isSilent: outage != nil || self.isSilent(now))
        switch answer {
        case .lacksRequest: return self.lend(what, &state, now, isLeaseValid: isValid)
        case .unknown:
            guard let outage, let kind = what.slotKind else { return answer }
            // If the mode allows nothing beyond leases, the client does not have too many.
            if outage.mode(kind).admitsNothing { return .refused(.unanswered) }
            return .refused(QuotaRefusal(kind: kind == .session ? .sessions : .sockets, retryAfter: Outage.retry))
        case .taken, .refused: return answer
        }
    }

    private func lend(
        _ what: Reservation, _ state: inout State, _ now: QuotaInstant, isLeaseValid: Bool
    ) -> LocalGrant.Decision {
        guard let kind = what.requestKind else { return .unknown }
        let refused = kind == .connect ? QuotaKind.connectRate : .resolveRate
        let mode = state.outage?.mode(kind) ?? .static
        if mode.admitsNothing { return .refused(.unanswered) }
        if mode == .static {
            state.budget.apply(state.limits, nodes: self.link.parts(now: now))
            if let wait = state.budget.request(kind, now: now) {
                return .refused(QuotaRefusal(kind: refused, retryAfter: wait))
            }
        }
        state.grants[what.resource].takeLent(
            what.need, now: now, isLeaseValid: isLeaseValid, isOwed: mode == .static)
        return .taken
    }

    func slot(for what: Reservation) -> QuotaSlot? {
        guard let kind = what.slotKind else { return nil }
        self.link.totals.opened(kind)
        return QuotaSlot(kind, of: self)
    }

    func slotReleased(_ kind: SlotKind) {
        self.state.withLock { $0.grants[kind == .session ? .sessions : .sockets].release() }
        self.link.totals.closed(kind)
    }

    // MARK: Outages

    private func makeOutage(_ state: State, _ now: QuotaInstant) -> Outage {
        let parts = self.link.allowsCredit ? self.link.parts(now: now) : 0
        return Outage(
            modes: self.link.modes, sessions: state.grants.sessions.slotsInOutage(parts: parts, now: now),
            sockets: state.grants.sockets.slotsInOutage(parts: parts, now: now))
    }

    /// Switches to the outage's rules, or back; and to the bucket's present epoch, under which nothing is granted yet.
    func follow(_ state: inout State, _ now: QuotaInstant) {
        let epoch = self.bucket.epoch
        if epoch != state.epoch {
            let left = self.link.settings.name(ofEpoch: state.epoch)
            let isLoss = self.bucket.countedUntilLoss(epoch: state.epoch)
            for resource in ResourceKind.allCases { state.grants[resource].fenced(leaving: left, isLoss: isLoss) }
            state.epoch = epoch
        }
        let isOutage = self.bucket.reach.isOutage
        if isOutage, state.outage == nil {
            let outage = self.makeOutage(state, now)
            state.outage = outage
            state.bytes.outageBegan(outage.modes.dayBytes, parts: self.link.parts(now: now))
            self.bytesChanged()
        } else if !isOutage, state.outage != nil {
            state.outage = nil
            state.bytes.outageEnded()
            self.bytesChanged()
            // Answers were missed: declare again.
            for resource in ResourceKind.allCases { state.grants[resource].resync() }
        }
    }

    // MARK: Periodic work

    /// Sends queries that are due although nothing waits; returns what is idle.
    func tick(now: QuotaInstant) {
        let isIdle = self.state.withLock { state in
            self.follow(&state, now)
            return state.outage == nil && state.grants.sessions.open == 0 && state.grants.sockets.open == 0
        }
        if isIdle { self.giveBytesBack(now: now) }
        for resource in ResourceKind.allCases { self.ask(resource) }
        self.askForBytes()
    }

    /// The node's leases are gone from Redis, or no longer count.
    func redeclare() {
        let fenced = self.state.withLock { state in
            self.follow(&state, self.link.now)
            return state.outage.map { outage in
                (
                    sockets: outage.modes.sockets == .fence ? state.grants.sockets.loose : 0,
                    hasSessions: outage.modes.sessions == .fence && state.grants.sessions.loose > 0
                )
            }
        }
        if let fenced, fenced.sockets > 0 || fenced.hasSessions {
            self.link.events.fenced(self.client, fenced.sockets, fenced.hasSessions)
        }
        for resource in ResourceKind.allCases { self.ask(resource) }
    }

    /// Redis may have missed the last declaration.
    func resync() {
        self.state.withLock { state in
            for resource in ResourceKind.allCases { state.grants[resource].resync() }
        }
    }

    /// The leases that Redis must hold for it, unless a query that changes them is in flight.
    var leases: [LeaseBucket.Lease] {
        let grants = self.state.withLock { state in
            [ResourceKind.sessions, .sockets].filter { state.grants[$0].hasLease }
        }
        return grants.map { LeaseBucket.Lease(client: self, resource: $0) }
    }

    /// Redis lacks a lease that it should hold: open slots are declared again.
    func leaseIsGone(_ resource: ResourceKind) {
        self.state.withLock { $0.grants[resource].resync() }
        self.ask(resource)
    }

    /// Whether it has no lease in Redis.
    var isIdle: Bool { self.state.withLock { $0.grants.isIdle && $0.waiters.isEmpty } }

    /// Whether Redis counts all that is open here.
    var isDeclared: Bool {
        let epoch = self.bucket.epoch
        return self.state.withLock { $0.epoch == epoch && $0.grants.areDeclared }
    }

    /// Socket slots that Redis granted, and those in use without a grant.
    var socketSlots: (granted: Int, loose: Int) {
        self.state.withLock { ($0.grants.sockets.granted, $0.grants.sockets.loose) }
    }

    /// Whether it can be dropped without losing anything.
    var isForgettable: Bool {
        let now = self.link.now
        guard self.onNode.areAtRest(now: now) else { return false }
        return self.state.withLock {
            $0.grants.isIdle && $0.waiters.isEmpty && $0.bytes.isIdle(now: now) && $0.budget.isFull(now: now)
        }
    }

    // MARK: Limits and use

    func apply(limits: ClientLimits) {
        self.state.withLock { state in
            guard state.limits != limits else { return }
            state.limits = limits
            state.grants.apply(limits)
            state.bytes.apply(limits)
            if state.outage != nil { state.outage = self.makeOutage(state, self.link.now) }
            self.bytesChanged()
        }
        self.publish(limits)
    }

    private func publish(_ limits: ClientLimits) {
        self.onNode.apply(limits)
        let rate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst)
        self.quantum.store(rate?.readQuantum ?? .max, ordering: .relaxed)
        self.countsBytes.store(limits.bytesPerSecond > 0 || limits.bytesPerDay > 0, ordering: .relaxed)
    }

    /// What is in use on this node; only the cluster knows what is left.
    func usage(now: QuotaInstant) -> QuotaUsage {
        self.state.withLock { state in
            QuotaUsage(
                limits: state.limits, sessions: state.grants.sessions.open, sockets: state.grants.sockets.open,
                bytesToday: 0)
        }
    }
}

extension ByteBudget {
    fileprivate mutating func apply(_ limits: ClientLimits) {
        self.rate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst)
        self.bytesPerDay = limits.bytesPerDay
    }
}
