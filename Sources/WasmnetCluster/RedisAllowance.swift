import RedisClient
import Synchronization
import WasmnetQuota

/// What one client may use on this node, drawn from what the cluster shares in Redis.
///
/// Every decision is made in values under one lock (``Lane``, ``ByteBudget``, ``Outage``); questions are sent after it is let go.
/// Whoever needs what is not here waits for one answer. While Redis does not answer, the policy's outage modes decide at once.
final class RedisAllowance: ClientAllowance, SlotOwner {
    let client: ClientID
    let onNode = NodeLimits()
    let bucket: LeaseBucket
    let link: ClusterLink
    let state: Guarded<State>
    let quantum = Atomic<Int>(.max)
    let countsBytes = Atomic<Bool>(false)
    /// False: nothing stops the bytes, as far as the last look under the lock knew; what passes next is charged there, and looks again.
    let mayPause = Atomic<Bool>(true)
    /// False: the day's bytes are not spent, as far as the last look knew.
    let mayBeSpent = Atomic<Bool>(true)

    typealias Completion = @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void

    struct Waiter: Sendable {
        var what: Reservation
        var completion: Completion
        /// Questions that were asked for it.
        var asks = 0

        /// One may be answered too late, or by one grant for many; the next tells what is missing. No answer is worth asking without
        /// end.
        static let mostAsks = 2
        /// Of those that an epoch or data which were gone left unanswered as well.
        static let mostAsksUnheard = 8
    }

    struct State: Sendable {
        var limits: QuotaLimits
        /// The epoch under which the lanes' slots were granted.
        var epoch: UInt64
        var lanes = Lanes()
        var waiters = PerLane<[Waiter]>([])
        /// Of questions about slots and requests that nobody waits for.
        var pace = AskPace(interval: .milliseconds(220), burst: 5)
        var bytes = ByteBudget()
        /// In force while Redis does not answer.
        var outage: Outage?
        /// From the first answer that did not come, in case it comes to that; nil again after one that does.
        var brewing: Outage?
        var sheds = false
    }

    init(client: ClientID, limits: QuotaLimits, bucket: LeaseBucket, link: ClusterLink) {
        self.client = client
        self.bucket = bucket
        self.link = link
        var state = State(limits: limits, epoch: bucket.epoch)
        state.lanes.apply(limits)
        state.bytes.apply(limits)
        self.state = Guarded(state)
        self.publish(limits)
    }

    // MARK: Slots and rates

    func reserve(
        _ what: Reservation, now: QuotaInstant, later: @escaping Completion
    ) -> Result<QuotaSlot?, QuotaRefusal>? {
        let lane = what.lane
        let (answer, asksNow): (Result<Void, QuotaRefusal>?, Bool) = self.state.withLock { state in
            self.follow(&state, now)
            if state.outage != nil { return (self.reserveInOutage(what, &state, now), false) }
            if what == .session { state.bytes.prepare(now: now) }
            if what == .socket, let wait = state.bytes.isDaySpent(now) {
                return (.failure(QuotaRefusal(kind: .dayBytes, retryAfter: wait)), false)
            }
            if state.waiters[lane].isEmpty {
                switch self.take(what, &state, now) {
                case .taken: return (.success(()), state.lanes[lane].wantsToAsk(now: now))
                case .refused(let refusal): return (.failure(refusal), false)
                case .unknown: break
                }
            }
            state.waiters[lane].append(Waiter(what: what, completion: later))
            return (nil, true)
        }
        self.link.counters.reserved(waited: answer == nil)
        if asksNow { self.ask(lane) }
        if what == .session { self.askForBytes() }
        return answer.map { $0.map { self.slot(for: what) } }
    }

    func take(_ what: Reservation, _ state: inout State, _ now: QuotaInstant) -> Lane.Answer {
        let isValid = self.bucket.isValid(epoch: state.epoch, now: now)
        return state.lanes[what.lane].take(what.need, now: now, isLeaseValid: isValid)
    }

    func slot(for what: Reservation) -> QuotaSlot? {
        guard let kind = what.slotKind else { return nil }
        self.link.totals.opened(kind)
        return QuotaSlot(kind, of: self)
    }

    func slotReleased(_ kind: SlotKind) {
        self.state.withLock { $0.lanes[kind == .session ? .sessions : .sockets].release() }
        self.link.totals.closed(kind)
    }

    // MARK: Outages

    func reserveInOutage(
        _ what: Reservation, _ state: inout State, _ now: QuotaInstant
    ) -> Result<Void, QuotaRefusal> {
        if let refusal = self.refusalInOutage(what, &state, now) { return .failure(refusal) }
        if what.slotKind != nil { state.lanes[what.lane].takeUngranted(now: now) }
        return .success(())
    }

    private func refusalInOutage(_ what: Reservation, _ state: inout State, _ now: QuotaInstant) -> QuotaRefusal? {
        let isInForce = state.outage != nil
        var outage = state.outage ?? state.brewing ?? self.makeOutage(state)
        defer { if isInForce { state.outage = outage } else { state.brewing = outage } }
        if let kind = what.slotKind {
            let lane = state.lanes[what.lane]
            let isLeased = self.bucket.isValid(epoch: state.epoch, now: now) && lane.open < lane.granted
            if !isLeased, let refusal = outage.admitsSlot(kind, open: lane.open, limit: lane.slotLimit) {
                return refusal
            }
        }
        switch what {
        case .socket: return outage.admitsConnect(now: now)
        case .resolve: return outage.admitsResolve(now: now)
        case .session, .accepted: return nil
        }
    }

    private func makeOutage(_ state: State) -> Outage {
        Outage(
            limits: state.limits, modes: self.link.modes, nodes: self.link.nodeCount,
            dayRest: state.bytes.dayRest)
    }

    /// Goes over to the outage's rules, or back from them; and to the bucket's present epoch, under which nothing is granted yet.
    func follow(_ state: inout State, _ now: QuotaInstant) {
        let epoch = self.bucket.epoch
        if epoch != state.epoch {
            let left = self.link.settings.name(ofEpoch: state.epoch)
            for lane in LaneKind.allCases { state.lanes[lane].fenced(leaving: left) }
            state.epoch = epoch
        }
        let isDegraded = self.bucket.isDegraded
        if isDegraded, state.outage == nil {
            state.outage = state.brewing ?? self.makeOutage(state)
            state.brewing = nil
            self.bytesChanged()
        } else if !isDegraded, let outage = state.outage {
            state.outage = nil
            state.bytes.passedUnseen(Int64(clamping: outage.passed), now: now)
        }
    }

    // MARK: From time to time

    /// Asks what is due although nobody waits; gives back what lies idle.
    func tick(now: QuotaInstant) {
        let isIdle = self.state.withLock { state in
            self.follow(&state, now)
            return state.outage == nil && state.lanes.sessions.open == 0 && state.lanes.sockets.open == 0
        }
        if isIdle { self.giveBytesBack(now: now) }
        for lane in LaneKind.allCases { self.ask(lane) }
        self.askForBytes()
    }

    /// The node's leases are gone from Redis.
    func redeclare(sheds: Bool) {
        self.state.withLock { state in
            self.follow(&state, self.link.now)
            state.sheds = state.sheds || sheds
        }
        for lane in LaneKind.allCases { self.ask(lane) }
    }

    /// Redis may have missed what was said last.
    func resync() {
        self.state.withLock { state in
            for lane in LaneKind.allCases { state.lanes[lane].resync() }
        }
    }

    /// Whether it has no lease in Redis.
    var isIdle: Bool { self.state.withLock { $0.lanes.isIdle && $0.waiters.isEmpty } }

    var grantedSockets: Int { self.state.withLock { $0.lanes.sockets.granted } }

    /// Whether nothing would be lost if it were forgotten.
    var isForgettable: Bool {
        let now = self.link.now
        guard self.onNode.areAtRest(now: now) else { return false }
        return self.state.withLock { $0.lanes.isIdle && $0.waiters.isEmpty && $0.bytes.isIdle(now: now) }
    }

    // MARK: Limits and use

    func apply(limits: QuotaLimits) {
        self.state.withLock { state in
            guard state.limits != limits else { return }
            state.limits = limits
            state.lanes.apply(limits)
            state.bytes.apply(limits)
            state.brewing = nil
            if state.outage != nil { state.outage = self.makeOutage(state) }
            self.bytesChanged()
        }
        self.publish(limits)
    }

    private func publish(_ limits: QuotaLimits) {
        self.onNode.apply(limits)
        let rate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst)
        self.quantum.store(rate?.readQuantum ?? .max, ordering: .relaxed)
        self.countsBytes.store(limits.bytesPerSecond > 0 || limits.bytesPerDay > 0, ordering: .relaxed)
    }

    /// What is in use on this node; what is left is the cluster's to say.
    func usage(now: QuotaInstant) -> QuotaUsage {
        self.state.withLock { state in
            QuotaUsage(
                limits: state.limits, sessions: state.lanes.sessions.open, sockets: state.lanes.sockets.open,
                bytesToday: 0)
        }
    }
}

extension ByteBudget {
    fileprivate mutating func apply(_ limits: QuotaLimits) {
        self.rate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst)
        self.bytesPerDay = limits.bytesPerDay
    }
}
