import RedisClient
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
            let standing = self.bucket.standing(
                under: question.epoch, now: question.ask.sentAt, isLease: question.ask.slotLimit > 0)
            if let standing { return self.send(lane, question, standing) }
            // The bucket went on to another epoch meanwhile.
            self.state.withLock { $0.lanes[lane].failed(question.ask) }
        }
    }

    /// Those who wait and for whom no question is on its way may have what they need by now, or an outage began.
    private func settleHere(_ lane: LaneKind) {
        let done: [(Waiter, Result<Void, QuotaRefusal>)] = self.state.withLock { state in
            let now = self.link.now
            self.follow(&state, now)
            guard !state.waiters[lane].isEmpty, state.lanes[lane].inFlight == nil else { return [] }
            var done: [(Waiter, Result<Void, QuotaRefusal>)] = []
            if state.outage != nil {
                done = state.waiters[lane].map { ($0, self.reserveInOutage($0.what, &state, now)) }
                state.waiters[lane] = []
            } else {
                self.settleWaiters(lane, nil, &state, now, &done)
            }
            return done
        }
        self.complete(done)
    }

    private func nextQuestion(_ lane: LaneKind) -> Question? {
        let now = self.link.now
        self.link.leaveIfLapsed(self.bucket, now: now)
        return self.state.withLock { state in
            self.follow(&state, now)
            guard state.outage == nil else { return nil }
            let waiters = state.waiters[lane]
            if waiters.isEmpty {
                guard state.lanes[lane].wantsToAsk(now: now) else { return nil }
                guard state.lanes[lane].mustAsk(now: now) || state.pace.allows(now) else { return nil }
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
            let asksForDay = state.bytes.dayRest == nil && waiters.contains { $0.what == .socket }
            return Question(
                ask: ask, epoch: state.epoch, pace: state.lanes[lane].pace,
                dayLimit: asksForDay ? state.limits.bytesPerDay : 0)
        }
    }

    private func send(_ lane: LaneKind, _ question: Question, _ standing: LeaseBucket.Standing) {
        let ask = question.ask
        self.link.run(
            .reserve(
                lane, of: self.client, ask, pace: question.pace, dayLimit: question.dayLimit, standing.inCalls,
                self.link.settings)
        ) { self.answered(lane, ask, standing, $0) }
    }

    private func answered(
        _ lane: LaneKind, _ ask: Lane.Ask, _ standing: LeaseBucket.Standing, _ result: Result<[Int64], RedisError>
    ) {
        // One question is on its way at a time, so none is late; were one, asking again at once might never end.
        guard case .success(let numbers) = result, let verdict = LeaseBucket.Verdict(rawValue: numbers[0]),
            verdict != .late
        else {
            let now = self.link.now
            self.link.failed(self.bucket, now: now, result)
            self.noAnswer(lane, ask, now)
            return
        }
        let renews = standing.joins && ask.slotLimit > 0
        let counts = self.link.heard(
            self.bucket, standing, verdict, sentAt: ask.sentAt, generation: numbers[1], renews: renews)
        let reply = Lane.Reply(
            granted: Int(clamping: numbers[3]), room: Int(clamping: numbers[4]), requests: Int(clamping: numbers[5]),
            missing: Lane.Reply.Missing(rawValue: Int(clamping: numbers[6])) ?? .nothing,
            wait: .microseconds(numbers[7]))
        var done: [(Waiter, Result<Void, QuotaRefusal>)] = []
        let excess: Int = self.state.withLock { state in
            let now = self.link.now
            self.follow(&state, now)
            guard verdict == .done, counts else {
                state.lanes[lane].failed(ask)
                self.giveUp(lane, after: Waiter.mostAsksUnheard, &state, now, &done)
                return 0
            }
            state.brewing = nil
            state.lanes[lane].replied(ask, reply, now: now)
            self.settleWaiters(lane, reply, &state, now, &done)
            self.giveUp(lane, after: Waiter.mostAsks, &state, now, &done)
            guard lane == .sockets, ask.slotLimit > 0, state.sheds else { return 0 }
            state.sheds = false
            return state.lanes[lane].excess
        }
        self.complete(done)
        if excess > 0 { self.link.events.excess(self.client, excess) }
        self.ask(lane)
    }

    /// Whoever still does not know goes into the next question.
    private func settleWaiters(
        _ lane: LaneKind, _ reply: Lane.Reply?, _ state: inout State, _ now: QuotaInstant,
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
            case .unknown: waiting.append(waiter)
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
}
