import Synchronization
import WasmnetNet
import WasmnetQuota

/// The state of this node's leases in one bucket of clients: the epoch that holds them, and how long they are valid.
///
/// 1. An epoch is joined by the first answer to a query sent under it that arrives in time; its lease ends ``ClusterSettings/leaseTime``
///    after the sending of the last query or heartbeat that Redis answered.
/// 2. A lease that has ended is never revived, whatever Redis answers: the clock is checked before an answer is accepted and
///    before anything is sent. Then, and when Redis says that an epoch or all data is gone, the epoch is left for a new one.
/// 3. An epoch that was not joined yet is kept, and the same query is sent again; except for one begun by a loss, which ends with
///    the lease before it.
/// 4. After a loss the nodes hold a roll call: each reports when it has declared again all that it holds, and nothing grows until all have.
///
/// Lock order: a bucket, then its clients' allowances. An allowance under its own lock reads only the atomics here. It
/// records the epoch of its slots, so it never takes one epoch's grant for another's.
final class LeaseBucket: Sendable {
    let index: Int
    /// The Redis that serves it.
    let reach: RedisReach
    private let settings: ClusterSettings
    private let state: Guarded<State>
    /// When the lease ends; 0: the epoch is not joined.
    private let validUntil = Atomic<Int64>(0)
    /// After a loss, the end of the lease that it ended: slots not declared by then may be granted to others; 0:
    /// no loss.
    private let firmUntil = Atomic<Int64>(0)
    private let number = Atomic<UInt64>(0)
    /// The last epoch begun because leases had lapsed, not because of a loss.
    private let lapse = Atomic<UInt64>(0)

    private struct State {
        var epoch: UInt64
        var generation: Int64 = 0
        var rollCall: RollCall?
        /// The last roll call timed out: nodes that did not answer may be in another network partition, with limits of their own.
        var isUnconfirmed = false
        var clients: [ClientID: RedisAllowance] = [:]
        /// There may be leases under the epoch.
        var isHeld = false
        var questions: UInt64 = 0
        var nextHeartbeat = QuotaInstant.epoch
        /// Leases that heartbeats have checked, from the first client on.
        var compared = 0
    }

    /// The state that a query is sent under.
    struct LeaseState: Sendable {
        var epoch: UInt64
        var name: String
        var generation: Int64
        /// The epoch is not known in Redis yet.
        var joins: Bool
        var stamp: (since: Int64, time: Int64)

        var inCalls: ClusterCall.LeaseState {
            ClusterCall.LeaseState(name: self.name, generation: self.generation, joins: self.joins, stamp: self.stamp)
        }
    }

    /// What an answer says of the lease state of its query.
    enum ReplyStatus: Int64, Sendable {
        case fenced, done, late, lost
    }

    /// What an answer, or the clock, means for the bucket's clients.
    enum Effect: Sendable {
        case none
        /// All leases are gone, and others may have been granted them.
        case redeclare([RedisAllowance])
    }

    init(index: Int, reach: RedisReach, settings: ClusterSettings) {
        self.index = index
        self.reach = reach
        self.settings = settings
        let epoch = settings.makeEpoch()
        self.state = Guarded(State(epoch: epoch))
        self.number.store(epoch, ordering: .relaxed)
    }

    /// The present epoch's number.
    var epoch: UInt64 { self.number.load(ordering: .acquiring) }

    /// Whether leases under an epoch before the present one were valid until the loss.
    func countedUntilLoss(epoch: UInt64) -> Bool { self.lapse.load(ordering: .acquiring) <= epoch }

    /// Whether leases under this epoch are certain to count in Redis.
    func isValid(epoch: UInt64, now: QuotaInstant) -> Bool {
        let until = self.validUntil.load(ordering: .acquiring)
        return now.microseconds < until && epoch == self.epoch
    }

    // MARK: Clients

    func allowance(
        for client: ClientID, make: (LeaseBucket) -> RedisAllowance
    ) -> (allowance: RedisAllowance, isNew: Bool) {
        self.state.withLock { state in
            if let known = state.clients[client] { return (known, false) }
            let fresh = make(self)
            state.clients[client] = fresh
            return (fresh, true)
        }
    }

    func known(_ client: ClientID) -> RedisAllowance? { self.state.withLock { $0.clients[client] } }

    var clients: [RedisAllowance] { self.state.withLock { Array($0.clients.values) } }
    var clientCount: Int { self.state.withLock { $0.clients.count } }

    /// Drops clients that are not in use and have nothing in Redis; without any clients the epoch is left to lapse.
    func sweep(idle: (RedisAllowance) -> Bool) {
        let (candidates, questions) = self.state.withLock { (Array($0.clients.keys), $0.questions) }
        for client in candidates {
            self.state.withLock { state in
                guard var allowance = state.clients.removeValue(forKey: client) else { return }
                if !isKnownUniquelyReferenced(&allowance) || !allowance.isForgettable {
                    state.clients[client] = allowance
                }
            }
        }
        self.state.withLock { state in
            guard state.isHeld, state.questions == questions, state.clients.values.allSatisfy(idle) else { return }
            self.leave(&state)
        }
    }

    // MARK: Queries

    /// Leaves the epoch if its lease has ended. Must be called before anything is sent.
    func leaveIfLapsed(now: QuotaInstant) -> Effect {
        guard self.hasLapsed(now) else { return .none }
        return self.state.withLock { self.hasLapsed(now) ? self.leaveAndRedeclare(&$0) : .none }
    }

    /// For a query about slots counted under this epoch; nil if there is another one by now.
    func leaseState(under epoch: UInt64, now: QuotaInstant, isLease: Bool) -> LeaseState? {
        self.state.withLock { state in
            guard epoch == state.epoch, !self.hasLapsed(now) else { return nil }
            if isLease {
                state.questions += 1
                state.isHeld = true
            }
            return self.leaseState(state, now)
        }
    }

    /// The lease state, without sending a query.
    func currentState(now: QuotaInstant) -> LeaseState { self.state.withLock { self.leaseState($0, now) } }

    /// The next step of a roll call, if there is one.
    ///
    /// - Parameter isDeclared: whether all that a client holds is declared.
    func rollCall(
        now: QuotaInstant, peersReadAt: QuotaInstant, isDeclared: (RedisAllowance) -> Bool
    ) -> (step: RollCall.Step, leaseState: LeaseState)? {
        guard self.clients.allSatisfy(isDeclared) else { return nil }
        return self.state.withLock { state in
            guard let step = state.rollCall?.step(now: now, peersReadAt: peersReadAt) else { return nil }
            return (step, self.leaseState(state, now))
        }
    }

    /// There is no other node that could have lost anything.
    func noOtherIsThere() { self.state.withLock { $0.rollCall?.isAlone() } }

    var isInRollCall: Bool { self.state.withLock { $0.rollCall != nil } }

    /// The lease state for a heartbeat, if one is due: of leases that are still valid.
    func heartbeat(now: QuotaInstant) -> LeaseState? {
        self.state.withLock { state in
            guard self.isJoined, !self.hasLapsed(now), now >= state.nextHeartbeat, !self.reach.isOutage else {
                return nil
            }
            state.nextHeartbeat = now + self.settings.heartbeat
            return self.leaseState(state, now)
        }
    }

    /// A lease in Redis.
    struct Lease: Sendable {
        var client: RedisAllowance
        var resource: ResourceKind

        var key: String { RedisKeys.leases(self.resource.slots, of: self.client.client) }
    }

    /// The leases that a heartbeat checks, in case their keys are gone: of some clients, and with the next heartbeat of the next ones.
    func leasesToCompare(atMost most: Int) -> [Lease] {
        let (clients, compared) = self.state.withLock { (Array($0.clients.values), $0.compared) }
        let leases = clients.flatMap(\.leases)
        guard leases.count > most else { return leases }
        self.state.withLock { $0.compared = (compared + most) % leases.count }
        return (0..<most).map { leases[(compared + $0) % leases.count] }
    }

    /// After a missed answer the next heartbeat waits at most this long.
    private static let retryTime = QuotaDuration.seconds(1)

    private func leaseState(_ state: State, _ now: QuotaInstant) -> LeaseState {
        LeaseState(
            epoch: state.epoch, name: self.settings.name(ofEpoch: state.epoch), generation: state.generation,
            joins: !self.isJoined, stamp: self.reach.stamp(now: now))
    }

    /// Whether Redis knows the epoch; then heartbeats are sent.
    var isJoined: Bool { self.validUntil.load(ordering: .relaxed) != 0 }

    private func hasLapsed(_ now: QuotaInstant) -> Bool {
        let valid = self.validUntil.load(ordering: .relaxed)
        let until = valid != 0 ? valid : self.firmUntil.load(ordering: .relaxed)
        return until != 0 && now.microseconds >= until
    }

    // MARK: Answers

    /// The consequences of an answer.
    struct Outcome: Sendable {
        var effect = Effect.none
        /// Whether the slots granted by the answer are valid.
        var counts = true
        /// Whether this is the first sign of a loss.
        var isLoss = false
    }

    /// What an answer says of the bucket's data.
    struct Data: Sendable {
        var generation: Int64
        /// How long growth is held; zero: there is no roll call.
        var hold: QuotaDuration
    }

    /// An answer arrived to a query sent under `leaseState` at `sentAt`.
    ///
    /// - Parameter renews: whether Redis kept the epoch alive with it, if it is done.
    func answered(
        _ leaseState: LeaseState, _ status: ReplyStatus, sentAt: QuotaInstant, now: QuotaInstant, data: Data,
        renews: Bool
    ) -> Outcome {
        self.state.withLock { state in
            var outcome = Outcome()
            let isNews = leaseState.generation == state.generation && data.generation != state.generation
            outcome.isLoss = isNews && state.generation != 0
            if isNews {
                // The rest of the hold shows how long it has lasted already.
                let age = outcome.isLoss ? self.settings.hold.microseconds - data.hold.microseconds : 0
                state.rollCall = RollCall(now: now, age: .microseconds(max(age, 0)))
                state.generation = data.generation
            }
            // If the roll call ended without this node, others may have been granted what it holds; if it ended without others,
            // they may hold what it was granted since.
            let isFirm = outcome.isLoss && data.hold > .zero && !state.isUnconfirmed
            if data.generation == state.generation, data.hold <= .zero, let rollCall = state.rollCall {
                state.isUnconfirmed = rollCall.lasts(self.settings.hold, until: now)
                state.rollCall = nil
            }
            let isOfAnother = data.generation != state.generation && status == .done
            guard leaseState.epoch == state.epoch, !isOfAnother else {
                outcome.counts = false
                return outcome
            }
            let hasLapsed = self.hasLapsed(now)
            if self.isJoined, hasLapsed || outcome.isLoss || status == .fenced {
                outcome.counts = false
                outcome.effect = self.leaveAndRedeclare(&state, isLoss: isFirm && !hasLapsed)
                return outcome
            }
            outcome.counts = status == .done && (self.isJoined || !renews || now < sentAt + self.settings.leaseTime)
            if outcome.counts, renews { self.confirm(&state, sentAt) }
            return outcome
        }
    }

    private func confirm(_ state: inout State, _ sentAt: QuotaInstant) {
        if !self.isJoined { state.nextHeartbeat = sentAt + self.settings.heartbeat }
        let until = max((sentAt + self.settings.leaseTime).microseconds, self.validUntil.load(ordering: .relaxed))
        self.validUntil.store(until, ordering: .releasing)
        self.firmUntil.store(0, ordering: .relaxed)
    }

    /// No answer arrived.
    func missed(now: QuotaInstant) {
        self.state.withLock { $0.nextHeartbeat = min($0.nextHeartbeat, now + Self.retryTime) }
    }

    /// The epoch, if there may be leases under it; a new one begins.
    func retire() -> String? {
        self.state.withLock { state in
            guard state.isHeld else { return nil }
            let epoch = state.epoch
            self.leave(&state)
            return self.settings.name(ofEpoch: epoch)
        }
    }

    private func leaveAndRedeclare(_ state: inout State, isLoss: Bool = false) -> Effect {
        self.leave(&state, isLoss: isLoss)
        return .redeclare(Array(state.clients.values))
    }

    private func leave(_ state: inout State, isLoss: Bool = false) {
        // Allowances read the end first and then the number: never the old epoch with a new end.
        let until = self.validUntil.exchange(0, ordering: .acquiringAndReleasing)
        self.firmUntil.store(isLoss ? until : 0, ordering: .relaxed)
        state.epoch = self.settings.makeEpoch()
        if !isLoss { self.lapse.store(state.epoch, ordering: .releasing) }
        self.number.store(state.epoch, ordering: .releasing)
        state.isHeld = false
    }
}
