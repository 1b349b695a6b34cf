import Synchronization
import WasmnetQuota

/// This node's standing in one bucket of clients: under which epoch its leases are kept, until when they count, and whether
/// Redis answers for this bucket.
///
/// Lock order: a bucket, then its clients' allowances. An allowance under its own lock reads the atomics here and nothing else.
final class LeaseBucket: Sendable {
    let index: Int
    private let settings: ClusterSettings
    private let state: Guarded<State>
    private let validUntil = Atomic<Int64>(0)
    private let degraded = Atomic<Bool>(false)

    private struct State {
        var epoch: String
        /// The one before, of which something may still stand in Redis.
        var replaced = ""
        var generation: Int64 = 0
        var breaker = Breaker()
        var clients: [ClientID: RedisAllowance] = [:]
        /// Leases may stand under the epoch.
        var isHeld = false
        var questions: UInt64 = 0
        var nextHeartbeat = QuotaInstant.epoch
        /// Redis did not answer at some time since the epoch was last confirmed.
        var missedAnswers = false
    }

    /// Under what a question is asked.
    struct Standing: Sendable {
        var epoch: String
        var replaced: String
        var generation: Int64
        /// The epoch is not known in Redis yet.
        var joins: Bool
    }

    private func standing(_ state: State) -> Standing {
        Standing(epoch: state.epoch, replaced: state.replaced, generation: state.generation, joins: false)
    }

    /// What an answer means for the other clients of the bucket.
    enum Consequence: Sendable {
        case none
        /// Redis may have missed what was said last.
        case resync([RedisAllowance])
        /// All leases are gone from Redis; `sheds`: others may have got them, and sockets beyond the limit must end.
        case redeclare([RedisAllowance], sheds: Bool)
    }

    init(index: Int, settings: ClusterSettings) {
        self.index = index
        self.settings = settings
        self.state = Guarded(State(epoch: settings.makeEpoch()))
    }

    var isDegraded: Bool { self.degraded.load(ordering: .acquiring) }

    /// Whether the leases count in Redis for sure.
    func isValid(now: QuotaInstant) -> Bool { now.microseconds < self.validUntil.load(ordering: .acquiring) }

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

    var clients: [RedisAllowance] { self.state.withLock { Array($0.clients.values) } }
    var clientCount: Int { self.state.withLock { $0.clients.count } }

    /// Forgets clients that nobody holds and that have nothing in Redis; without any the epoch is left to lapse.
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
            self.rejoin(&state)
        }
    }

    // MARK: Asking

    func standing(now: QuotaInstant) -> Standing {
        self.state.withLock { state in
            state.questions += 1
            if !state.isHeld {
                state.isHeld = true
                state.nextHeartbeat = now + self.settings.heartbeat
            }
            return Standing(
                epoch: state.epoch, replaced: state.replaced, generation: state.generation,
                joins: self.validUntil.load(ordering: .relaxed) == 0)
        }
    }

    /// The standing, without asking anything.
    func peek() -> Standing {
        self.state.withLock { self.standing($0) }
    }

    /// The standing for a heartbeat, if one is due.
    func heartbeat(now: QuotaInstant) -> Standing? {
        self.state.withLock { state in
            guard state.isHeld, now >= state.nextHeartbeat, !state.breaker.isOpen else { return nil }
            state.nextHeartbeat = now + self.settings.heartbeat
            return self.standing(state)
        }
    }

    /// The standing for a probe, if Redis does not answer and one is due.
    func probe(now: QuotaInstant) -> Standing? {
        self.state.withLock { state in
            guard state.breaker.isProbeDue(at: now) else { return nil }
            return self.standing(state)
        }
    }

    // MARK: Answers

    /// An answer that came, to whatever was asked under `standing` at `sentAt`.
    ///
    /// - Parameters:
    ///   - confirms: it says that the epoch lives.
    ///   - fenced: it says that the epoch is gone.
    func answered(
        _ standing: Standing, sentAt: QuotaInstant, now: QuotaInstant, generation: Int64, confirms: Bool, fenced: Bool
    ) -> (consequence: Consequence, recovered: Bool) {
        self.state.withLock { state in
            let recovered = state.breaker.succeeded()
            if recovered { self.degraded.store(false, ordering: .releasing) }
            let lost = state.generation != 0 && generation != state.generation
            state.generation = generation
            guard standing.epoch == state.epoch else { return (.none, recovered) }
            // A lease that has lapsed here is never taken up again, whatever Redis says: others may have had its slots since.
            let validUntil = self.validUntil.load(ordering: .relaxed)
            let isLate = validUntil == 0 ? now >= sentAt + self.settings.leaseTime : now.microseconds >= validUntil
            if fenced || lost || (confirms && isLate) {
                let sheds = !lost && !state.missedAnswers
                self.rejoin(&state)
                state.isHeld = true
                state.missedAnswers = false
                return (.redeclare(Array(state.clients.values), sheds: sheds), recovered)
            }
            if confirms {
                let until = (sentAt + self.settings.leaseTime).microseconds
                if until > validUntil { self.validUntil.store(until, ordering: .releasing) }
                state.missedAnswers = false
            }
            // Answers were missed: what Redis knows of each client is to be said again.
            return (recovered ? .resync(Array(state.clients.values)) : .none, recovered)
        }
    }

    /// - Returns: whether the breaker opened just now.
    func failed(now: QuotaInstant) -> Bool {
        self.state.withLock { state in
            state.missedAnswers = true
            let opened = state.breaker.failed(at: now)
            if opened { self.degraded.store(true, ordering: .releasing) }
            return opened
        }
    }

    /// The epoch, if leases may stand under it; from now on there is a new one.
    func retire() -> String? {
        self.state.withLock { state in
            guard state.isHeld else { return nil }
            let epoch = state.epoch
            self.rejoin(&state)
            return epoch
        }
    }

    private func rejoin(_ state: inout State) {
        if state.isHeld { state.replaced = state.epoch }
        state.epoch = self.settings.makeEpoch()
        state.isHeld = false
        self.validUntil.store(0, ordering: .releasing)
    }
}
