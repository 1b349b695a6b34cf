import NIOCore
import RedisClient
import Synchronization
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota

/// Questions about slots and requests, and their answers.
extension RedisAllowance {
    private struct Question: Sendable {
        var ask: Lane.Ask
        var epoch: UInt64
        var pace: GCRA.Pace?
        /// 0: not asked for.
        var dayLimit: UInt64
    }

    /// Asks if somebody waits or it is time to.
    func ask(_ lane: LaneKind) {
        self.settleHere(lane)
        while let question = self.nextQuestion(lane) {
            let leaseState = self.bucket.leaseState(
                under: question.epoch, now: question.ask.sentAt, isLease: question.ask.slotLimit > 0)
            if let leaseState { return self.send(lane, question, leaseState) }
            // The bucket went on to another epoch meanwhile.
            self.state.withLock { $0.lanes[lane].failed(question.ask) }
        }
    }

    /// Those who wait may have what they need by now, or waited for long enough, or an outage began.
    private func settleHere(_ lane: LaneKind, endsLate: Bool = false) {
        let done: [(Waiter, Result<Void, QuotaRefusal>)] = self.state.withLock { state in
            let now = self.link.now
            self.follow(&state, now)
            guard !state.waiters[lane].isEmpty else { return [] }
            var done: [(Waiter, Result<Void, QuotaRefusal>)] = []
            self.settleWaiters(lane, nil, &state, now, endsLate: endsLate, &done)
            return done
        }
        self.complete(done)
    }

    /// Between two looks at those who wait.
    private static let lookTime = QuotaDuration.milliseconds(50)

    /// Looks at those who wait after a while, and again for as long as anybody does.
    func lookLater(_ lane: LaneKind) {
        let isDue = self.state.withLock { state in
            defer { state.isLookDue[lane] = !state.waiters[lane].isEmpty }
            return !state.isLookDue[lane] && !state.waiters[lane].isEmpty
        }
        guard isDue else { return }
        let time = min(Self.lookTime, self.link.settings.answerTime)
        self.link.carrier.schedule(in: .microseconds(time.microseconds)) { [weak self] in
            self?.state.withLock { $0.isLookDue[lane] = false }
            self?.settleHere(lane, endsLate: true)
            self?.ask(lane)
            self?.lookLater(lane)
        }
    }

    private func nextQuestion(_ lane: LaneKind) -> Question? {
        let now = self.link.now
        self.link.leaveIfLapsed(self.bucket, now: now)
        return self.state.withLock { state in
            self.follow(&state, now)
            guard state.outage == nil else { return nil }
            let waiters = state.waiters[lane]
            if waiters.isEmpty {
                guard state.lanes[lane].shouldRequest(now: now) else { return nil }
                guard state.lanes[lane].mustSync(now: now) || state.pace.allows(now) else { return nil }
            }
            let ask = state.lanes[lane].ask(
                for: waiters.map(\.what.need), now: now, sequence: self.link.nextSequence())
            guard let ask else { return nil }
            state.waiters[lane] = waiters.map { waiter in
                var waiter = waiter
                waiter.asks += 1
                return waiter
            }
            state.pace.spend(now)
            // Only for who needs it, else nobody else would get past a day that is spent.
            let asksForDay = state.bytes.dayBytesLeft == nil && waiters.contains { $0.what == .socket }
            return Question(
                ask: ask, epoch: state.epoch, pace: state.lanes[lane].pace,
                dayLimit: asksForDay ? state.limits.bytesPerDay : 0)
        }
    }

    private func send(_ lane: LaneKind, _ question: Question, _ leaseState: LeaseBucket.LeaseState) {
        let ask = question.ask
        let call = ClusterCall.reserve(
            lane, of: self.client, ask, pace: question.pace, dayLimit: question.dayLimit, leaseState.inCalls,
            self.link.settings)
        self.link.run(call, bucket: self.bucket.index) { self.answered(lane, ask, leaseState, $0) }
    }

    private func answered(
        _ lane: LaneKind, _ ask: Lane.Ask, _ leaseState: LeaseBucket.LeaseState, _ result: Result<[Int64], RedisError>
    ) {
        // One question is on its way at a time, so none is late; were one, asking again at once might never end.
        guard case .success(let numbers) = result, let status = LeaseBucket.ReplyStatus(rawValue: numbers[0]),
            status != .late
        else {
            self.bucket.missed(now: self.link.now)
            self.state.withLock { $0.lanes[lane].failed(ask) }
            self.settleHere(lane)
            return
        }
        let renews = leaseState.joins && ask.slotLimit > 0
        let counts = self.link.heard(
            self.bucket, leaseState, status, sentAt: ask.sentAt, numbers[1], hold: numbers[2], renews: renews)
        let reply = Lane.Reply(
            granted: Int(clamping: numbers[3]), room: Int(clamping: numbers[4]), requests: Int(clamping: numbers[5]),
            missing: Lane.Reply.Missing(rawValue: Int(clamping: numbers[6])) ?? .nothing,
            wait: .microseconds(numbers[7]))
        var done: [(Waiter, Result<Void, QuotaRefusal>)] = []
        let excess: Int = self.state.withLock { state in
            let now = self.link.now
            self.follow(&state, now)
            guard status == .done, counts else {
                state.lanes[lane].failed(ask)
                self.giveUp(lane, after: Waiter.maxAsksUnheard, &state, now, &done)
                return 0
            }
            state.lanes[lane].replied(ask, reply, now: now)
            self.settleWaiters(lane, reply, &state, now, &done)
            if reply.missing != .rollCall { self.giveUp(lane, after: Waiter.maxAsks, &state, now, &done) }
            // While data that was lost is told again, others' slots are not known yet.
            guard lane == .sockets, ask.slotLimit > 0, numbers[2] == 0, !self.link.modes.keepsExcess else {
                return 0
            }
            return state.lanes[lane].endExcess(now: now)
        }
        self.complete(done)
        if excess > 0 { self.link.events.excess(self.client, excess) }
        // In a roll call those who wait are looked at from time to time.
        if reply.missing != .rollCall { self.ask(lane) }
    }

    /// Whoever still does not know goes into the next question.
    ///
    /// - Parameter endsLate: whether those who waited for long enough are refused.
    private func settleWaiters(
        _ lane: LaneKind, _ reply: Lane.Reply?, _ state: inout State, _ now: QuotaInstant, endsLate: Bool = false,
        _ done: inout [(Waiter, Result<Void, QuotaRefusal>)]
    ) {
        var waiting: [Waiter] = []
        for waiter in state.waiters[lane] {
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
        state.waiters[lane] = waiting
    }

    /// Refuses those for whom so many questions were asked and answered in vain.
    private func giveUp(
        _ lane: LaneKind, after asks: Int, _ state: inout State, _ now: QuotaInstant,
        _ done: inout [(Waiter, Result<Void, QuotaRefusal>)]
    ) {
        for waiter in state.waiters[lane] where waiter.asks >= asks {
            let isValid = self.bucket.isValid(epoch: state.epoch, now: now)
            let refusal = state.lanes[lane].giveUp(waiter.what.need, now: now, isLeaseValid: isValid)
            done.append((waiter, .failure(refusal)))
        }
        state.waiters[lane].removeAll { $0.asks >= asks }
    }

    private func complete(_ done: [(Waiter, Result<Void, QuotaRefusal>)]) {
        self.link.waiting.wrappingSubtract(done.count, ordering: .relaxed)
        for (waiter, answer) in done { waiter.completion(answer.map { self.slot(for: waiter.what) }) }
    }
}
