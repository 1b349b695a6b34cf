import NIOCore
import RedisClient
import Synchronization
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota

/// Queries about slots and requests, and their answers.
extension RedisAllowance {
    private struct Question: Sendable {
        var query: LocalGrant.Query
        var epoch: UInt64
        var pace: GCRA.Pace?
        /// 0: not asked for.
        var dayLimit: UInt64
    }

    /// Sends a query if a caller waits or one is due.
    func ask(_ resource: ResourceKind) {
        self.settleHere(resource)
        while let question = self.nextQuestion(resource) {
            let leaseState = self.bucket.leaseState(
                under: question.epoch, now: question.query.sentAt, isLease: question.query.slotLimit > 0)
            if let leaseState { return self.send(resource, question, leaseState) }
            // The bucket has moved on to another epoch meanwhile.
            self.state.withLock { $0.grants[resource].failed(question.query) }
        }
    }

    /// Waiters may be served or refused by now: slots arrived, their time is up, or an outage began.
    private func settleHere(_ resource: ResourceKind, endsLate: Bool = false) {
        let done: [(Waiter, Result<Void, QuotaRefusal>)] = self.state.withLock { state in
            let now = self.link.now
            self.follow(&state, now)
            guard !state.waiters[resource].isEmpty else { return [] }
            var done: [(Waiter, Result<Void, QuotaRefusal>)] = []
            self.settleWaiters(resource, nil, &state, now, endsLate: endsLate, &done)
            return done
        }
        self.complete(done)
    }

    /// Between two checks of the waiters.
    private static let lookTime = QuotaDuration.milliseconds(50)

    /// Checks the waiters after a while, and again as long as there are any.
    func lookLater(_ resource: ResourceKind) {
        let isDue = self.state.withLock { state in
            defer { state.isLookDue[resource] = !state.waiters[resource].isEmpty }
            return !state.isLookDue[resource] && !state.waiters[resource].isEmpty
        }
        guard isDue else { return }
        let time = min(Self.lookTime, self.link.settings.answerTime)
        self.link.carrier.schedule(in: .microseconds(time.microseconds)) { [weak self] in
            self?.state.withLock { $0.isLookDue[resource] = false }
            self?.settleHere(resource, endsLate: true)
            self?.ask(resource)
            self?.lookLater(resource)
        }
    }

    private func nextQuestion(_ resource: ResourceKind) -> Question? {
        let now = self.link.now
        self.link.leaveIfLapsed(self.bucket, now: now)
        return self.state.withLock { state in
            self.follow(&state, now)
            guard state.outage == nil else { return nil }
            let waiters = state.waiters[resource]
            if waiters.isEmpty {
                guard state.grants[resource].shouldRequest(now: now) else { return nil }
                guard state.grants[resource].mustSync(now: now) || state.pace.allows(now) else { return nil }
            }
            let query = state.grants[resource].makeQuery(
                for: waiters.map(\.what.need), now: now, sequence: self.link.nextSequence())
            guard let query else { return nil }
            state.waiters[resource] = waiters.map { waiter in
                var waiter = waiter
                waiter.queries += 1
                return waiter
            }
            state.pace.spend(now)
            // Only for waiters that need it; otherwise a spent day would block the others.
            let asksForDay = state.bytes.dayBytesLeft == nil && waiters.contains { $0.what == .socket }
            return Question(
                query: query, epoch: state.epoch, pace: state.grants[resource].pace,
                dayLimit: asksForDay ? state.limits.bytesPerDay : 0)
        }
    }

    private func send(_ resource: ResourceKind, _ question: Question, _ leaseState: LeaseBucket.LeaseState) {
        let query = question.query
        let call = ClusterCall.reserve(
            resource, of: self.client, query, pace: question.pace, dayLimit: question.dayLimit, leaseState.inCalls,
            self.link.settings)
        self.link.run(call, bucket: self.bucket.index) { self.answered(resource, query, leaseState, $0) }
    }

    private func answered(
        _ resource: ResourceKind, _ query: LocalGrant.Query, _ leaseState: LeaseBucket.LeaseState,
        _ result: Result<[Int64], RedisError>
    ) {
        // One query is in flight at a time, so none is late; if one were, asking again at once might never end.
        guard case .success(let numbers) = result, let status = LeaseBucket.ReplyStatus(rawValue: numbers[0]),
            status != .late
        else {
            self.bucket.missed(now: self.link.now)
            self.state.withLock { $0.grants[resource].failed(query) }
            self.settleHere(resource)
            return
        }
        let renews = leaseState.joins && query.slotLimit > 0
        let counts = self.link.heard(
            self.bucket, leaseState, status, sentAt: query.sentAt, numbers[1], hold: numbers[2], renews: renews)
        let reply = LocalGrant.Reply(
            granted: Int(clamping: numbers[3]), room: Int(clamping: numbers[4]), requests: Int(clamping: numbers[5]),
            missing: LocalGrant.Reply.Missing(rawValue: Int(clamping: numbers[6])) ?? .nothing,
            wait: .microseconds(numbers[7]))
        var done: [(Waiter, Result<Void, QuotaRefusal>)] = []
        let excess: Int = self.state.withLock { state in
            let now = self.link.now
            self.follow(&state, now)
            guard status == .done, counts else {
                state.grants[resource].failed(query)
                self.refuse(resource, after: Waiter.maxQueriesUnheard, &state, now, &done)
                return 0
            }
            state.grants[resource].replied(query, reply, now: now)
            self.settleWaiters(resource, reply, &state, now, &done)
            if reply.missing != .rollCall { self.refuse(resource, after: Waiter.maxQueries, &state, now, &done) }
            // While lost data is being declared again, others' slots are not known yet.
            guard resource == .sockets, query.slotLimit > 0, numbers[2] == 0, !self.link.modes.keepsExcess else {
                return 0
            }
            return state.grants[resource].endExcess(now: now)
        }
        self.complete(done)
        if excess > 0 {
            self.link.counters.excess.wrappingAdd(excess, ordering: .relaxed)
            self.link.events.excess(self.client, excess)
        }
        // In a roll call waiters are checked from time to time.
        if reply.missing != .rollCall { self.ask(resource) }
    }

    /// Waiters still undecided are part of the next query.
    ///
    /// - Parameter endsLate: whether waiters whose time is up are refused.
    private func settleWaiters(
        _ resource: ResourceKind, _ reply: LocalGrant.Reply?, _ state: inout State, _ now: QuotaInstant,
        endsLate: Bool = false,
        _ done: inout [(Waiter, Result<Void, QuotaRefusal>)]
    ) {
        var waiting: [Waiter] = []
        for waiter in state.waiters[resource] {
            if let reply, reply.missing == .dayBytes, waiter.what == .socket {
                done.append((waiter, .failure(QuotaRefusal(kind: .dayBytes, retryAfter: reply.wait))))
                continue
            }
            switch self.take(waiter.what, &state, now) {
            case .taken: done.append((waiter, .success(())))
            case .refused(let refusal): done.append((waiter, .failure(refusal)))
            case .unknown, .lacksRequest:
                if endsLate, now - waiter.since >= self.link.settings.slotWait {
                    done.append((waiter, .failure(.unanswered)))
                } else {
                    waiting.append(waiter)
                }
            }
        }
        state.waiters[resource] = waiting
    }

    /// Refuses the waiters for whom this many queries were sent and answered in vain.
    private func refuse(
        _ resource: ResourceKind, after queries: Int, _ state: inout State, _ now: QuotaInstant,
        _ done: inout [(Waiter, Result<Void, QuotaRefusal>)]
    ) {
        for waiter in state.waiters[resource] where waiter.queries >= queries {
            let isValid = self.bucket.isValid(epoch: state.epoch, now: now)
            let refusal = state.grants[resource].refuse(waiter.what.need, now: now, isLeaseValid: isValid)
            done.append((waiter, .failure(refusal)))
        }
        state.waiters[resource].removeAll { $0.queries >= queries }
    }

    private func complete(_ done: [(Waiter, Result<Void, QuotaRefusal>)]) {
        self.link.waiting.wrappingSubtract(done.count, ordering: .relaxed)
        for (waiter, answer) in done { waiter.completion(answer.map { self.slot(for: waiter.what) }) }
    }
}
