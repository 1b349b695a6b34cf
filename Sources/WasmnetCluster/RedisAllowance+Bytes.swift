import RedisClient
import Synchronization
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota

/// Bytes: those that pass, and the queries that draw them ahead of use.
extension RedisAllowance {
    var readQuantum: Int { self.quantum.load(ordering: .relaxed) }

    func draw(bytes: Int, now: QuotaInstant) -> Int {
        guard bytes > 0 else { return 0 }
        guard self.countsBytes.load(ordering: .relaxed) else { return bytes }
        return self.count(now) { Int($0.bytes.draw(Int64(bytes), now: now)) }
    }

    func charge(bytes: Int, now: QuotaInstant) {
        guard bytes > 0, self.countsBytes.load(ordering: .relaxed) else { return }
        self.count(now) { $0.bytes.charge(Int64(bytes), now: now) }
    }

    func charge(overhead bytes: Int, now: QuotaInstant) {
        guard bytes > 0, self.readQuantum < .max else { return }
        self.count(now) { $0.bytes.charge(overhead: Int64(bytes), now: now) }
    }

    /// Counts bytes under the lock, and sends a query if that makes it due.
    private func count<Answer>(_ now: QuotaInstant, _ body: (inout State) -> Answer) -> Answer {
        let (answer, shouldRequest) = self.state.withLock { state in
            self.follow(&state, now)
            let answer = body(&state)
            let mayPause = state.outage != nil || state.bytes.pause(now: now) != nil
            self.mayPause.store(mayPause, ordering: .relaxed)
            self.mayBeSpent.store(state.bytes.isDaySpent(now) != nil, ordering: .relaxed)
            return (answer, state.outage == nil && state.bytes.shouldRequest(now: now))
        }
        if shouldRequest { self.askForBytes() }
        return answer
    }

    func pause(now: QuotaInstant) -> QuotaInstant? {
        guard self.countsBytes.load(ordering: .relaxed), self.mayPause.load(ordering: .relaxed) else { return nil }
        let (until, shouldRequest): (QuotaInstant?, Bool) = self.state.withLock { state in
            self.follow(&state, now)
            guard let until = state.bytes.pause(now: now) ?? self.pauseInOutage(state, now) else {
                self.mayPause.store(state.outage != nil, ordering: .relaxed)
                return (nil, false)
            }
            if state.bytes.lacksRate(now: now), let lent = self.lendBytes(&state, now) {
                return (lent > now ? lent : state.bytes.pause(now: now), false)
            }
            return (until, state.outage == nil && state.bytes.shouldRequest(now: now))
        }
        if shouldRequest { self.askForBytes() }
        return until
    }

    private func pauseInOutage(_ state: State, _ now: QuotaInstant) -> QuotaInstant? {
        guard state.outage?.modes.bandwidth.admitsNothing == true, state.bytes.rate != nil else { return nil }
        return now + Outage.retry
    }

    /// Without an answer, ungranted bytes pass on the outage budget, and are owed.
    ///
    /// - Returns: nil if Redis answers; otherwise when bytes are available again, which is now if some were lent.
    private func lendBytes(_ state: inout State, _ now: QuotaInstant) -> QuotaInstant? {
        guard let mode = state.outage?.modes.bandwidth ?? (self.isSilent(now) ? .static : nil) else { return nil }
        switch mode {
        case .closed, .fence: return now + Outage.retry
        case .open: state.bytes.lend(TokenBucket.maxBytes)
        case .static:
            state.budget.apply(state.limits, nodes: self.link.parts(now: now))
            let bytes = state.budget.bytes(upTo: state.bytes.shortage(now: now), now: now)
            guard bytes > 0 else { return state.budget.bytesReturn(now: now) }
            state.bytes.lend(bytes)
        }
        return now
    }

    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal? {
        guard self.countsBytes.load(ordering: .relaxed), self.mayBeSpent.load(ordering: .relaxed) else { return nil }
        return self.state.withLock { state in
            self.follow(&state, now)
            return state.bytes.isDaySpent(now).map { QuotaRefusal(kind: .dayBytes, retryAfter: $0) }
        }
    }

    func askForBytes() {
        let query: ByteBudget.Query? = self.state.withLock { state in
            let now = self.link.now
            guard state.outage == nil, !self.bucket.reach.isOutage, state.bytes.shouldRequest(now: now) else {
                return nil
            }
            return state.bytes.makeQuery(now: now)
        }
        if let query { self.send(query) }
    }

    private func send(_ query: ByteBudget.Query) {
        let (rate, day) = self.state.withLock { ($0.bytes.rate, $0.bytes.bytesPerDay) }
        let call = ClusterCall.grant(of: self.client, query, rate: rate, bytesPerDay: day)
        self.link.run(call, bucket: self.bucket.index) { result in
            let now = self.link.now
            guard case .success(let numbers) = result else {
                self.bucket.missed(now: now)
                self.state.withLock { $0.bytes.failed(query) }
                return
            }
            self.link.counters.grantedBytes.wrappingAdd(Int(clamping: numbers[0]), ordering: .relaxed)
            self.state.withLock { state in
                state.bytes.replied(
                    query,
                    ByteBudget.Reply(
                        granted: numbers[0], wait: .microseconds(numbers[1]), dayLeased: numbers[2], day: numbers[3],
                        dayEndsIn: .microseconds(numbers[4]), dayBytesLeft: numbers[5]), now: now)
                self.bytesChanged()
            }
        }
    }

    /// Returns the rest of the day's lease, and reports what passed.
    func giveBytesBack(now: QuotaInstant) {
        let query = self.state.withLock { state in
            self.bytesChanged()
            return state.bytes.giveBack(now: now)
        }
        if let query { self.send(query) }
    }

    /// Under the lock: what stops the bytes may have changed.
    func bytesChanged() {
        self.mayPause.store(true, ordering: .relaxed)
        self.mayBeSpent.store(true, ordering: .relaxed)
    }
}
