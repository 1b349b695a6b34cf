import Synchronization
import WasmnetNet

/// A client's allowance kept in this process.
///
/// The state is a ``ClientModel`` behind a lock: reservations, and charges while bandwidth is limited, hold it for a few dozen
/// instructions (a lock, because a bucket's level and time change together). What a relay checks for every chunk is published
/// under the lock into atomics, each meaningful by itself, so that the answer "go on" is one load:
/// - ``pause(now:)`` compares with the moment at which tokens are positive again;
/// - ``dayBytesExhausted(now:)`` compares with the end of a spent day;
/// - ``draw(bytes:now:)`` and ``charge(bytes:now:)`` without a bandwidth limit add to `uncounted`, and take the lock only when that
///   reaches what was left of the day (so the end of the day's bytes is noticed at once) or the day is over. That sum only
///   ever grows: if it were reset to zero, a charge could slip in before the new threshold is published and go unnoticed.
///
/// A charge is visible to every thread when the call returns.
final class InProcessAllowance: ClientAllowance, SlotOwner {
    let client: ClientID
    let onNode = NodeLimits()
    private let totals: LedgerTotals
    private let state: Guarded<State>

    private let quantum = Atomic<Int>(.max)
    /// Microseconds; 0: not paused.
    private let pausedUntil = Atomic<Int64>(0)
    /// Microseconds; 0: bytes are left.
    private let daySpentUntil = Atomic<Int64>(0)
    /// All bytes that ever passed without the lock.
    private let uncounted = Atomic<UInt64>(0)
    /// The value of `uncounted` at which the model must be updated.
    private let settleAt = Atomic<UInt64>(0)
    /// Microseconds: the end of the day being counted.
    private let settleBy = Atomic<Int64>(0)

    private struct State {
        var model: ClientModel
        /// How much of `uncounted` the model has counted.
        var settled: UInt64 = 0
        /// The policy's limits, before this client's overrides.
        var limits: ClientLimits
        var active: ActiveOverrides?

        mutating func applyLimits() {
            let limits = self.active?.overrides.applied(to: self.limits) ?? self.limits
            if self.model.limits != limits { self.model.apply(limits) }
        }

        /// Whether the overrides ended just now.
        mutating func endOverrides(at now: QuotaInstant) {
            guard let active = self.active, now >= active.until else { return }
            self.active = nil
            self.applyLimits()
        }
    }

    init(client: ClientID, limits: ClientLimits, active: ActiveOverrides?, totals: LedgerTotals) {
        self.client = client
        self.totals = totals
        var state = State(model: ClientModel(limits: limits), limits: limits, active: active)
        state.applyLimits()
        self.state = Guarded(state)
        self.publish(state)
        self.onNode.apply(limits)
    }

    // MARK: Slots and rates

    func reserve(
        _ what: Reservation, now: QuotaInstant, later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void
    ) -> Result<QuotaSlot?, QuotaRefusal>? {
        if let refusal = self.reserve(what, at: now) { return .failure(refusal) }
        switch what {
        case .session: return .success(self.slot(.session))
        case .socket, .accepted: return .success(self.slot(.socket))
        case .resolve: return .success(nil)
        }
    }

    private func reserve(_ what: Reservation, at now: QuotaInstant) -> QuotaRefusal? {
        self.changeState { state in
            state.endOverrides(at: now)
            return state.model.reserve(what, at: now)
        }
    }

    private func slot(_ kind: SlotKind) -> QuotaSlot {
        self.totals.opened(kind)
        return QuotaSlot(kind, of: self)
    }

    func slotReleased(_ kind: SlotKind) {
        let now = self.totals.clock()
        self.state.withLock { $0.model.giveBack(kind, at: now) }
        self.totals.closed(kind)
    }

    // MARK: Bytes

    var readQuantum: Int { self.quantum.load(ordering: .relaxed) }

    func draw(bytes: Int, now: QuotaInstant) -> Int {
        guard bytes > 0 else { return 0 }
        let bytes = min(Int64(bytes), TokenBucket.maxBytes)
        guard !self.needsModel(now) else { return Int(self.change { $0.draw(bytes: bytes, at: now) }) }
        var uncounted = self.uncounted.load(ordering: .relaxed)
        while true {
            let end = self.settleAt.load(ordering: .relaxed)
            let taken = min(UInt64(bytes), end > uncounted ? end - uncounted : 0)
            let (exchanged, found) = self.uncounted.weakCompareExchange(
                expected: uncounted, desired: uncounted + taken, ordering: .relaxed)
            guard exchanged else {
                uncounted = found
                continue
            }
            if uncounted + taken >= end { self.change { _ = $0.daySpent(at: now) } }
            return Int(taken)
        }
    }

    /// Whether bytes must be counted under the lock.
    private func needsModel(_ now: QuotaInstant) -> Bool {
        self.readQuantum < .max || now.microseconds >= self.settleBy.load(ordering: .acquiring)
    }

    func charge(overhead bytes: Int, now: QuotaInstant) {
        guard bytes > 0, self.readQuantum < .max else { return }
        self.change { $0.charge(overhead: min(Int64(bytes), TokenBucket.maxBytes), at: now) }
    }

    func charge(bytes: Int, now: QuotaInstant) {
        guard bytes > 0 else { return }
        let bytes = min(Int64(bytes), TokenBucket.maxBytes)
        guard !self.needsModel(now) else { return self.change { $0.charge(bytes: bytes, at: now) } }
        let uncounted = self.uncounted.wrappingAdd(UInt64(bytes), ordering: .relaxed).newValue
        if uncounted >= self.settleAt.load(ordering: .relaxed) { self.change { _ = $0.daySpent(at: now) } }
    }

    func pause(now: QuotaInstant) -> QuotaInstant? {
        guard now.microseconds < self.pausedUntil.load(ordering: .relaxed) else { return nil }
        return self.change { $0.pause(at: now) }
    }

    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal? {
        guard now.microseconds < self.daySpentUntil.load(ordering: .relaxed) else { return nil }
        return self.change { $0.daySpent(at: now) }
    }

    // MARK: Limits and use

    func apply(limits: ClientLimits) {
        self.onNode.apply(limits)
        self.changeState { state in
            state.limits = limits
            state.applyLimits()
        }
    }

    /// Overrides for this client from now on; nil: the policy's.
    func set(_ active: ActiveOverrides?) {
        self.changeState { state in
            state.active = active
            state.applyLimits()
        }
    }

    /// Requested again, by another session.
    func updateLimits(limits: ClientLimits, now: QuotaInstant) {
        self.onNode.apply(limits)
        self.changeState { state in
            state.limits = limits
            state.applyLimits()
            state.model.touch(at: now)
        }
    }

    func usage(now: QuotaInstant) -> QuotaUsage {
        self.changeState { state in
            state.endOverrides(at: now)
            return state.model.usage(at: now)
        }
    }

    /// What was counted, and the policy's limits in use.
    func account(now: QuotaInstant, node: String) -> (account: ClientAccount, limits: ClientLimits) {
        self.changeState { state in
            state.endOverrides(at: now)
            var account = state.model.account(at: now, node: node)
            account.overrides = state.active?.overrides ?? QuotaOverrides()
            account.overridesEnd = state.active?.until
            return (account, state.limits)
        }
    }

    /// Nil: nothing to remember, dropping it forgives nothing. Otherwise when it was last used. Does not tell whether it is in use.
    func lastUse(unlessAtRest now: QuotaInstant) -> QuotaInstant? {
        let isAtRest = self.onNode.areAtRest(now: now)
        return self.change { isAtRest && $0.isAtRest(at: now) ? nil : $0.lastUse }
    }

    // MARK: The model and its published values

    private func change<Answer>(_ body: (inout ClientModel) -> Answer) -> Answer {
        self.changeState { body(&$0.model) }
    }

    private func changeState<Answer>(_ body: (inout State) -> Answer) -> Answer {
        self.state.withLock { state in
            let uncounted = self.uncounted.load(ordering: .relaxed)
            state.model.settle(bytes: uncounted &- state.settled)
            state.settled = uncounted
            let answer = body(&state)
            self.publish(state)
            return answer
        }
    }

    private func publish(_ state: State) {
        let model = state.model
        self.quantum.store(model.byteRate?.readQuantum ?? .max, ordering: .relaxed)
        var pausedUntil = QuotaInstant.epoch
        if let rate = model.byteRate, model.bucket.level <= 0 { pausedUntil = model.bucket.positive(rate: rate) }
        self.pausedUntil.store(pausedUntil.microseconds, ordering: .relaxed)

        let left = model.day.left(of: model.limits.bytesPerDay)
        let end = model.day.end.microseconds
        self.daySpentUntil.store(left == 0 ? end : 0, ordering: .relaxed)
        self.settleAt.store(state.settled &+ min(left ?? .max, 1 << 52), ordering: .relaxed)
        // Last: a thread that uses the new day uses its threshold as well.
        self.settleBy.store(end, ordering: .releasing)
    }
}

/// Overrides for one client on this node, until they end.
struct ActiveOverrides: Sendable {
    let overrides: QuotaOverrides
    let until: QuotaInstant
}
