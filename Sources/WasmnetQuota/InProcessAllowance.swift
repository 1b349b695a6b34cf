import Synchronization

/// One client's allowance, counted in this process. A lock guards the numbers; two flags outside it keep the path of every byte free of the
/// lock where nothing is limited.
package final class InProcessAllowance: ClientAllowance {
    package let client: ClientID

    struct State: Sendable {
        var limits: QuotaLimits
        var sockets = 0
        var sessions = 0
        var connects = GCRA()
        var resolves = GCRA()
        var bandwidth: TokenBucket?
        var day = DayCounter()

        var connectRate: GCRA.Rate?
        var resolveRate: GCRA.Rate?
        var byteRate: TokenBucket.Rate?

        init(limits: QuotaLimits) {
            self.limits = limits
            self.derive()
        }

        mutating func derive() {
            self.connectRate = GCRA.Rate(perSecond: self.limits.connectsPerSecond, burst: self.limits.connectBurst)
            self.resolveRate = GCRA.Rate(perSecond: self.limits.resolvesPerSecond, burst: self.limits.resolveBurst)
            self.byteRate = TokenBucket.Rate(
                bytesPerSecond: self.limits.bytesPerSecond, burst: self.limits.byteBurst)
            if self.byteRate == nil { self.bandwidth = nil }
        }
    }

    private let state: Mutex<State>
    private let bandwidthIsLimited: Atomic<Bool>
    private let dayIsLimited: Atomic<Bool>
    /// When a session last asked for it, microseconds: one that was just handed out is not forgotten before it is used.
    private let lastUse = Atomic<Int64>(.min)
    private static let settling: Int64 = 60 * Int64.microsecondsPerSecond

    init(client: ClientID, limits: QuotaLimits) {
        self.client = client
        let state = State(limits: limits)
        self.bandwidthIsLimited = Atomic(state.byteRate != nil)
        self.dayIsLimited = Atomic(limits.bytesPerDay > 0)
        self.state = Mutex(state)
    }

    package var isBandwidthLimited: Bool { self.bandwidthIsLimited.load(ordering: .relaxed) }

    package func apply(limits: QuotaLimits) {
        self.state.withLock { state in
            guard state.limits != limits else { return }
            state.limits = limits
            state.derive()
            self.bandwidthIsLimited.store(state.byteRate != nil, ordering: .relaxed)
            self.dayIsLimited.store(limits.bytesPerDay > 0, ordering: .relaxed)
        }
    }

    package func reserve(
        _ what: Reservation, now: QuotaInstant,
        later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void
    ) -> Result<QuotaSlot?, QuotaRefusal>? {
        if let refusal = self.state.withLock({ $0.take(what, now: now) }) { return .failure(refusal) }
        switch what {
        case .resolve: return .success(nil)
        case .session: return .success(QuotaSlot { self.state.withLock { $0.sessions -= 1 } })
        case .socket, .accepted: return .success(QuotaSlot { self.state.withLock { $0.sockets -= 1 } })
        }
    }

    package func charge(bytes: Int, now: QuotaInstant) {
        guard bytes > 0 else { return }
        let day = self.dayIsLimited.load(ordering: .relaxed)
        guard day || self.isBandwidthLimited else { return }
        self.state.withLock { state in
            if day { state.day.add(UInt64(bytes), now: now) }
            if let rate = state.byteRate {
                var bucket = state.bandwidth ?? TokenBucket(rate, now: now)
                bucket.charge(Int64(bytes), rate, now: now)
                state.bandwidth = bucket
            }
        }
    }

    package func pause(now: QuotaInstant) -> QuotaInstant? {
        guard self.isBandwidthLimited else { return nil }
        return self.state.withLock { state in
            guard let rate = state.byteRate, let wait = state.bandwidth?.wait(rate, now: now), wait > 0 else {
                return nil
            }
            return now.advanced(byMicroseconds: wait)
        }
    }

    package func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal? {
        guard self.dayIsLimited.load(ordering: .relaxed) else { return nil }
        return self.state.withLock { $0.dayRefusal(now: now) }
    }

    package func usage(now: QuotaInstant) -> QuotaUsage {
        self.state.withLock {
            QuotaUsage(sockets: $0.sockets, sessions: $0.sessions, bytesToday: $0.day.used(now: now))
        }
    }

    func touch(now: QuotaInstant) { self.lastUse.store(now.microseconds, ordering: .relaxed) }

    /// Whether nothing is held; `forgettable`: whether nothing is worth remembering either.
    func idleness(now: QuotaInstant) -> (isIdle: Bool, forgettable: Bool) {
        let used = self.lastUse.load(ordering: .relaxed)
        guard now.microseconds.saturatingSubtract(used) > Self.settling else { return (false, false) }
        return self.state.withLock { state in
            guard state.sockets == 0, state.sessions == 0 else { return (false, false) }
            var bucketIsFull = true
            if let rate = state.byteRate { bucketIsFull = state.bandwidth?.isFull(rate, now: now) ?? true }
            let forgettable =
                bucketIsFull && state.connects.isIdle(now: now) && state.resolves.isIdle(now: now)
                && state.day.used(now: now) == 0
            return (true, forgettable)
        }
    }
}

extension InProcessAllowance.State {
    /// Takes what is asked for, all of it or nothing; the refusal in the latter case.
    fileprivate mutating func take(_ what: Reservation, now: QuotaInstant) -> QuotaRefusal? {
        switch what {
        case .session:
            if self.limits.maxSessions > 0, self.sessions >= self.limits.maxSessions {
                return QuotaRefusal(.sessions, "\(self.limits.maxSessions) sessions are open, which is the limit")
            }
            self.sessions += 1
        case .accepted:
            if let refusal = self.socketRefusal() { return refusal }
            self.sockets += 1
        case .socket:
            if let refusal = self.socketRefusal() ?? self.dayRefusal(now: now) { return refusal }
            if let rate = self.connectRate {
                let wait = self.connects.wait(rate, now: now)
                if wait > 0 {
                    let text = "more than \(self.limits.connectsPerSecond) connects a second"
                    return QuotaRefusal(.connectRate, text, retryAfterMicroseconds: wait)
                }
                self.connects.pass(rate, now: now)
            }
            self.sockets += 1
        case .resolve:
            if let rate = self.resolveRate {
                let wait = self.resolves.wait(rate, now: now)
                if wait > 0 {
                    let text = "more than \(self.limits.resolvesPerSecond) look-ups a second"
                    return QuotaRefusal(.resolveRate, text, retryAfterMicroseconds: wait)
                }
                self.resolves.pass(rate, now: now)
            }
        }
        return nil
    }

    private func socketRefusal() -> QuotaRefusal? {
        guard self.limits.maxSockets > 0, self.sockets >= self.limits.maxSockets else { return nil }
        return QuotaRefusal(.sockets, "\(self.limits.maxSockets) sockets are open, which is the limit")
    }

    fileprivate func dayRefusal(now: QuotaInstant) -> QuotaRefusal? {
        guard self.limits.bytesPerDay > 0, self.day.used(now: now) >= self.limits.bytesPerDay else { return nil }
        return QuotaRefusal(
            .dayBytes, "the \(self.limits.bytesPerDay) bytes of the day are spent",
            retryAfterMicroseconds: DayCounter.untilTomorrow(now))
    }
}
