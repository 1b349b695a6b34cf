import RedisClient
import Synchronization
import WasmnetQuota

/// Bytes: what passes, and the questions that draw it ahead of use.
extension RedisAllowance {
    var readQuantum: Int { self.quantum.load(ordering: .relaxed) }

    func draw(bytes: Int, now: QuotaInstant) -> Int {
        guard bytes > 0 else { return 0 }
        guard self.countsBytes.load(ordering: .relaxed) else { return bytes }
        return self.count(now) { state in
            let taken = state.outage?.draw(Int64(bytes), now: now) ?? state.bytes.draw(Int64(bytes), now: now)
            return Int(taken)
        }
    }

    func charge(bytes: Int, now: QuotaInstant) {
        guard bytes > 0, self.countsBytes.load(ordering: .relaxed) else { return }
        self.count(now) { state in
            if state.outage == nil {
                state.bytes.charge(Int64(bytes), now: now)
            } else {
                state.outage?.charge(Int64(bytes), now: now)
            }
        }
    }

    func charge(overhead bytes: Int, now: QuotaInstant) {
        guard bytes > 0, self.readQuantum < .max else { return }
        self.count(now) { state in
            if state.outage == nil {
                state.bytes.charge(overhead: Int64(bytes), now: now)
            } else {
                state.outage?.charge(overhead: Int64(bytes), now: now)
            }
        }
    }

    /// Counts bytes under the lock, and asks for more where that makes it due.
    private func count<Answer>(_ now: QuotaInstant, _ body: (inout State) -> Answer) -> Answer {
        let (answer, wantsToAsk) = self.state.withLock { state in
            self.follow(&state, now)
            let answer = body(&state)
            guard state.outage == nil else { return (answer, false) }
            self.mayPause.store(state.bytes.pause(now: now) != nil, ordering: .relaxed)
            self.mayBeSpent.store(state.bytes.isDaySpent(now) != nil, ordering: .relaxed)
            return (answer, state.bytes.wantsToAsk(now: now))
        }
        if wantsToAsk { self.askForBytes() }
        return answer
    }

    func pause(now: QuotaInstant) -> QuotaInstant? {
        guard self.countsBytes.load(ordering: .relaxed), self.mayPause.load(ordering: .relaxed) else { return nil }
        let (until, wantsToAsk): (QuotaInstant?, Bool) = self.state.withLock { state in
            self.follow(&state, now)
            if state.outage != nil { return (state.outage?.pause(now: now), false) }
            guard let until = state.bytes.pause(now: now) else {
                self.mayPause.store(false, ordering: .relaxed)
                return (nil, false)
            }
            return (until, state.bytes.wantsToAsk(now: now))
        }
        if wantsToAsk { self.askForBytes() }
        return until
    }

    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal? {
        guard self.countsBytes.load(ordering: .relaxed), self.mayBeSpent.load(ordering: .relaxed) else { return nil }
        return self.state.withLock { state in
            if state.outage != nil { return state.outage?.daySpent(now: now) }
            return state.bytes.isDaySpent(now).map { QuotaRefusal(kind: .dayBytes, retryAfter: $0) }
        }
    }

    func askForBytes() {
        let ask: ByteBudget.Ask? = self.state.withLock { state in
            let now = self.link.now
            guard state.outage == nil, !self.bucket.isDegraded, state.bytes.wantsToAsk(now: now) else { return nil }
            return state.bytes.ask(now: now)
        }
        if let ask { self.send(ask) }
    }

    private func send(_ ask: ByteBudget.Ask) {
        let (rate, day) = self.state.withLock { ($0.bytes.rate, $0.bytes.bytesPerDay) }
        self.link.run(.grant(of: self.client, ask, rate: rate, bytesPerDay: day)) { result in
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
                self.bytesChanged()
            }
        }
    }

    /// Returns what is left of the day's lease, and owns up to what passed.
    func giveBytesBack(now: QuotaInstant) {
        let ask = self.state.withLock { state in
            self.bytesChanged()
            return state.bytes.giveBack(now: now)
        }
        if let ask { self.send(ask) }
    }

    /// Under the lock: what stops the bytes may be another than it was.
    func bytesChanged() {
        self.mayPause.store(true, ordering: .relaxed)
        self.mayBeSpent.store(true, ordering: .relaxed)
    }
}
