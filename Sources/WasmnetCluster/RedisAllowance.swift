import RedisClient
import Synchronization
import WasmnetQuota

/// What one client may use on this node, drawn from what the cluster shares in Redis.
///
/// Every decision is made in values under one lock (``Lane``, ``ByteBudget``, ``Outage``); questions are sent after it is let go.
/// Whoever needs what is not here waits for one answer. While Redis does not answer, the policy's outage modes decide at once.
final class RedisAllowance: ClientAllowance, SlotOwner {
    let client: ClientID
    private let bucket: LeaseBucket
    private let link: ClusterLink
    private let state: Guarded<State>
    private let quantum = Atomic<Int>(.max)
    private let countsBytes = Atomic<Bool>(false)

    typealias Completion = @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void

    private struct Waiter: Sendable {
        var what: Reservation
        var completion: Completion
    }

    private struct State: Sendable {
        var limits: QuotaLimits
        var lanes = Lanes()
        var waiters = PerLane<[Waiter]>([])
        var bytes = ByteBudget()
        var outage: Outage?
        var sheds = false
    }

    init(client: ClientID, limits: QuotaLimits, bucket: LeaseBucket, link: ClusterLink) {
        self.client = client
        self.bucket = bucket
        self.link = link
        var state = State(limits: limits)
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
                switch state.lanes[lane].take(what.need, now: now, isLeaseValid: self.bucket.isValid(now: now)) {
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

    private func slot(for what: Reservation) -> QuotaSlot? {
        guard let kind = what.slotKind else { return nil }
        self.link.totals.opened(kind)
        return QuotaSlot(kind, of: self)
    }

    func slotReleased(_ kind: SlotKind) {
        self.state.withLock { $0.lanes[kind == .session ? .sessions : .sockets].release() }
        self.link.totals.closed(kind)
    }

    private func reserveInOutage(
        _ what: Reservation, _ state: inout State, _ now: QuotaInstant
    ) -> Result<Void, QuotaRefusal> {
        if let refusal = self.refusalInOutage(what, &state, now) { return .failure(refusal) }
        if what.slotKind != nil { state.lanes[what.lane].takeUngranted(now: now) }
        return .success(())
    }

    private func refusalInOutage(_ what: Reservation, _ state: inout State, _ now: QuotaInstant) -> QuotaRefusal? {
        var outage = state.outage ?? self.makeOutage(state)
        defer { if state.outage != nil { state.outage = outage } }
        if let kind = what.slotKind {
            let lane = state.lanes[what.lane]
            let isLeased = self.bucket.isValid(now: now) && lane.open < lane.granted
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
            limits: state.limits, modes: self.link.settings.modes, nodes: self.link.nodeCount,
            dayRest: state.bytes.dayRest)
    }

    /// Goes over to the outage's rules, or back from them.
    private func follow(_ state: inout State, _ now: QuotaInstant) {
        let isDegraded = self.bucket.isDegraded
        if isDegraded, state.outage == nil {
            state.outage = self.makeOutage(state)
        } else if !isDegraded, let outage = state.outage {
            state.outage = nil
            state.bytes.passedUnseen(Int64(clamping: outage.passed), now: now)
        }
    }

    // MARK: Questions about slots and requests

    private func ask(_ lane: LaneKind) {
        let question: (ask: Lane.Ask, lane: Lane, dayLimit: UInt64)? = self.state.withLock { state in
            let now = self.link.now
            guard state.outage == nil, !self.bucket.isDegraded else { return nil }
            guard !state.waiters[lane].isEmpty || state.lanes[lane].wantsToAsk(now: now) else { return nil }
            let needs = state.waiters[lane].map { $0.what.need }
            guard let ask = state.lanes[lane].ask(for: needs, now: now) else { return nil }
            let asksForDay = lane == .sockets && state.bytes.dayRest == nil
            return (ask, state.lanes[lane], asksForDay ? state.limits.bytesPerDay : 0)
        }
        guard let question else { return }
        let ask = question.ask
        let standing = self.bucket.standing(now: ask.sentAt)
        let ttl = self.link.settings.timeToLive.microseconds
        let pace = question.lane.pace
        self.link.run(
            ClusterScripts.reserve,
            keys: [
                RedisKeys.generation(self.bucket.index), RedisKeys.epochs(self.bucket.index),
                RedisKeys.leases(lane == .sessions ? .session : .socket, of: self.client),
                RedisKeys.requests(lane == .resolves ? .resolve : .connect, of: self.client),
                RedisKeys.overrides(of: self.client), RedisKeys.day(of: self.client),
            ],
            arguments: [
                .integer(standing.generation), .integer(self.link.settings.hold.microseconds),
                .string(standing.epoch), .integer(ttl), standing.joins ? 1 : 0,
                .integer(ask.sequence), RedisArgument(ask.target), RedisArgument(ask.open),
                RedisArgument(question.lane.slotLimit), ask.slotNeeded ? 1 : 0,
                .integer(pace?.interval ?? 0), .integer(pace?.burst ?? 0), RedisArgument(ask.requests),
                ask.requestNeeded ? 1 : 0,
                .integer(Int64(clamping: question.dayLimit)),
                .string(lane == .sessions ? "max_sessions" : "max_connections"),
                .string(lane == .resolves ? "resolves" : "connects"), .string(standing.replaced),
            ],
            integers: 8
        ) { self.answered(lane, ask, standing, $0) }
    }

    private func answered(
        _ lane: LaneKind, _ ask: Lane.Ask, _ standing: LeaseBucket.Standing, _ result: Result<[Int64], RedisError>
    ) {
        let now = self.link.now
        guard case .success(let numbers) = result, let status = Status(rawValue: numbers[0]) else {
            self.link.failed(self.bucket, now: now, result)
            self.noAnswer(lane, ask, now)
            return
        }
        let isLease = ask.target > 0 || ask.open > 0
        self.link.answered(
            self.bucket, standing, sentAt: ask.sentAt, now: now, generation: numbers[1],
            confirms: status == .done && standing.joins && isLease, fenced: status == .fenced)
        let reply = Lane.Reply(
            granted: Int(clamping: numbers[3]), room: Int(clamping: numbers[4]), requests: Int(clamping: numbers[5]),
            missing: Lane.Reply.Missing(rawValue: Int(clamping: numbers[6])) ?? .nothing,
            wait: .microseconds(numbers[7]))
        var done: [(Waiter, Result<Void, QuotaRefusal>)] = []
        let excess: Int = self.state.withLock { state in
            guard status == .done else {
                // Late: a newer question was heard first. Fenced: the bucket has called `redeclare`.
                state.lanes[lane].failed(ask)
                return 0
            }
            state.lanes[lane].replied(ask, reply, now: now)
            self.settleWaiters(lane, reply, &state, now, &done)
            guard lane == .sockets, state.sheds else { return 0 }
            state.sheds = false
            return state.lanes[lane].excess
        }
        self.complete(done)
        if excess > 0 { self.link.events.excess(self.client, excess) }
        self.ask(lane)
    }

    private func settleWaiters(
        _ lane: LaneKind, _ reply: Lane.Reply, _ state: inout State, _ now: QuotaInstant,
        _ done: inout [(Waiter, Result<Void, QuotaRefusal>)]
    ) {
        var count = 0
        for waiter in state.waiters[lane] {
            if reply.missing == .dayBytes, waiter.what == .socket {
                done.append((waiter, .failure(QuotaRefusal(kind: .dayBytes, retryAfter: reply.wait))))
                count += 1
                continue
            }
            let isValid = self.bucket.isValid(now: now)
            switch state.lanes[lane].take(waiter.what.need, now: now, isLeaseValid: isValid) {
            case .taken: done.append((waiter, .success(())))
            case .refused(let refusal): done.append((waiter, .failure(refusal)))
            case .unknown:
                state.waiters[lane].removeFirst(count)
                return
            }
            count += 1
        }
        state.waiters[lane].removeAll()
    }

    /// Those who wait are not kept waiting by a Redis that does not answer: the outage's rules decide.
    private func noAnswer(_ lane: LaneKind, _ ask: Lane.Ask, _ now: QuotaInstant) {
        let done: [(Waiter, Result<Void, QuotaRefusal>)] = self.state.withLock { state in
            state.lanes[lane].failed(ask)
            let waiters = state.waiters[lane]
            state.waiters[lane] = []
            self.follow(&state, now)
            return waiters.map { ($0, self.reserveInOutage($0.what, &state, now)) }
        }
        self.complete(done)
    }

    private func complete(_ done: [(Waiter, Result<Void, QuotaRefusal>)]) {
        for (waiter, answer) in done { waiter.completion(answer.map { self.slot(for: waiter.what) }) }
    }

    // MARK: Bytes

    var readQuantum: Int { self.quantum.load(ordering: .relaxed) }

    func charge(bytes: Int, now: QuotaInstant) {
        guard bytes > 0, self.countsBytes.load(ordering: .relaxed) else { return }
        let wantsToAsk = self.state.withLock { state in
            self.follow(&state, now)
            if state.outage != nil {
                state.outage?.charge(Int64(bytes), now: now)
                return false
            }
            state.bytes.charge(Int64(bytes), now: now)
            return state.bytes.wantsToAsk(now: now)
        }
        if wantsToAsk { self.askForBytes() }
    }

    func pause(now: QuotaInstant) -> QuotaInstant? {
        guard self.countsBytes.load(ordering: .relaxed) else { return nil }
        let (until, wantsToAsk): (QuotaInstant?, Bool) = self.state.withLock { state in
            self.follow(&state, now)
            if state.outage != nil { return (state.outage?.pause(now: now), false) }
            guard let until = state.bytes.pause(now: now) else { return (nil, false) }
            return (until, state.bytes.wantsToAsk(now: now))
        }
        if wantsToAsk { self.askForBytes() }
        return until
    }

    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal? {
        guard self.countsBytes.load(ordering: .relaxed) else { return nil }
        return self.state.withLock { state in
            if state.outage != nil { return state.outage?.daySpent(now: now) }
            return state.bytes.isDaySpent(now).map { QuotaRefusal(kind: .dayBytes, retryAfter: $0) }
        }
    }

    private func askForBytes() {
        let ask: ByteBudget.Ask? = self.state.withLock { state in
            let now = self.link.now
            guard state.outage == nil, !self.bucket.isDegraded, state.bytes.wantsToAsk(now: now) else { return nil }
            return state.bytes.ask(now: now)
        }
        if let ask { self.send(ask) }
    }

    private func send(_ ask: ByteBudget.Ask) {
        let (rate, day) = self.state.withLock { ($0.bytes.rate, $0.bytes.bytesPerDay) }
        self.link.run(
            ClusterScripts.grant,
            keys: [
                RedisKeys.bandwidth(of: self.client), RedisKeys.day(of: self.client),
                RedisKeys.leases(.session, of: self.client), RedisKeys.overrides(of: self.client),
            ],
            arguments: [
                .integer(rate?.bytesPerSecond ?? 0), .integer(rate?.burst ?? 0), .integer(ask.debt),
                .integer(ask.wanted),
                .integer(Int64(clamping: day)), .integer(ask.dayDebt), .integer(ask.dayReturned),
                .integer(ask.returnedDay), ask.wantsDay ? 1 : 0,
            ],
            integers: 6
        ) { result in
            let now = self.link.now
            guard case .success(let numbers) = result else {
                self.link.failed(self.bucket, now: now, result)
                self.state.withLock { $0.bytes.failed(ask) }
                return
            }
            self.link.counters.grantedBytes.wrappingAdd(Int(clamping: numbers[0]), ordering: .relaxed)
            self.state.withLock { state in
                state.bytes.replied(
                    ask,
                    ByteBudget.Reply(
                        granted: numbers[0], wait: .microseconds(numbers[1]), dayLeased: numbers[2], day: numbers[3],
                        dayEndsIn: .microseconds(numbers[4]), dayLeft: numbers[5]), now: now)
            }
        }
    }

    // MARK: From time to time

    /// Asks what is due although nobody waits; gives back what lies idle.
    func tick(now: QuotaInstant) {
        let idleBytes: ByteBudget.Ask? = self.state.withLock { state in
            self.follow(&state, now)
            guard state.outage == nil, state.lanes.sessions.open == 0, state.lanes.sockets.open == 0 else { return nil }
            return state.bytes.giveBack(now: now)
        }
        if let idleBytes { self.send(idleBytes) }
        for lane in LaneKind.allCases { self.ask(lane) }
        self.askForBytes()
    }

    /// The node's leases are gone from Redis.
    func redeclare(sheds: Bool) {
        self.state.withLock { state in
            for lane in LaneKind.allCases { state.lanes[lane].fenced() }
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

    /// Whether nothing would be lost if it were forgotten.
    var isForgettable: Bool {
        let now = self.link.now
        return self.state.withLock { $0.lanes.isIdle && $0.waiters.isEmpty && $0.bytes.isIdle(now: now) }
    }

    // MARK: Limits and use

    func apply(limits: QuotaLimits) {
        self.state.withLock { state in
            guard state.limits != limits else { return }
            state.limits = limits
            state.lanes.apply(limits)
            state.bytes.apply(limits)
            if state.outage != nil { state.outage = self.makeOutage(state) }
        }
        self.publish(limits)
    }

    private func publish(_ limits: QuotaLimits) {
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

/// What an answer says of the epoch it was asked under.
private enum Status: Int64 {
    case fenced, done, late
}

extension ByteBudget {
    fileprivate mutating func apply(_ limits: QuotaLimits) {
        self.rate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst)
        self.bytesPerDay = limits.bytesPerDay
    }
}
