/// All counters of one client, and every decision about it: a value without clock, lock or I/O. It is the reference model for
/// the cluster's scripts.
package struct ClientModel: Sendable, Hashable {
    package private(set) var limits: ClientLimits
    private var connectPace: GCRA.Pace?
    private var resolvePace: GCRA.Pace?
    package private(set) var byteRate: TokenBucket.Rate?

    package private(set) var sessions = SlotCounter()
    package private(set) var sockets = SlotCounter()
    package private(set) var connects = GCRA()
    package private(set) var resolves = GCRA()
    package private(set) var bucket = TokenBucket()
    package private(set) var day = DayCounter()
    /// When it was last requested, given a slot or released one; not each charge, so that those stay cheap.
    package private(set) var lastUse = QuotaInstant.epoch

    package init(limits: ClientLimits) {
        self.limits = limits
        self.apply(limits)
    }

    /// Applies other limits from now on; the counters are kept.
    package mutating func apply(_ limits: ClientLimits) {
        self.limits = limits
        self.connectPace = GCRA.Pace(perSecond: limits.connectsPerSecond, burst: limits.connectBurst)
        self.resolvePace = GCRA.Pace(perSecond: limits.resolvesPerSecond, burst: limits.resolveBurst)
        self.byteRate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst)
    }

    /// Takes what is requested, whole or not at all. Nil: granted.
    package mutating func reserve(_ what: Reservation, at now: QuotaInstant) -> QuotaRefusal? {
        self.lastUse = now
        switch what {
        case .session:
            return self.sessions.take(limit: self.limits.maxSessions) ? nil : QuotaRefusal(kind: .sessions)
        case .accepted:
            return self.sockets.take(limit: self.limits.maxConnections) ? nil : QuotaRefusal(kind: .sockets)
        case .resolve:
            guard let pace = self.resolvePace else { return nil }
            return self.resolves.request(at: now, pace: pace)
                .map { QuotaRefusal(kind: .resolveRate, retryAfter: $0) }
        case .socket:
            if let spent = self.daySpent(at: now) { return spent }
            guard self.sockets.hasRoom(limit: self.limits.maxConnections) else { return QuotaRefusal(kind: .sockets) }
            if let pace = self.connectPace, let wait = self.connects.request(at: now, pace: pace) {
                return QuotaRefusal(kind: .connectRate, retryAfter: wait)
            }
            self.sockets.take(limit: self.limits.maxConnections)
            return nil
        }
    }

    package mutating func touch(at now: QuotaInstant) {
        self.lastUse = now
    }

    package mutating func giveBack(_ kind: SlotKind, at now: QuotaInstant) {
        self.lastUse = now
        switch kind {
        case .session: self.sessions.giveBack()
        case .socket: self.sockets.giveBack()
        }
    }

    /// Bytes that passed: from the bucket, and for the day.
    package mutating func charge(bytes: Int64, at now: QuotaInstant) {
        self.lastUse = now
        self.day.roll(to: now)
        self.day.add(UInt64(max(bytes, 0)))
        self.charge(overhead: bytes, at: now)
    }

    /// Bytes from the bucket only.
    package mutating func charge(overhead bytes: Int64, at now: QuotaInstant) {
        if let rate = self.byteRate { self.bucket.charge(bytes: bytes, at: now, rate: rate) }
    }

    /// Takes bytes that are about to pass: at most what is left of the day.
    package mutating func draw(bytes: Int64, at now: QuotaInstant) -> Int64 {
        self.day.roll(to: now)
        let left = self.day.left(of: self.limits.bytesPerDay).map { Int64(clamping: $0) } ?? .max
        let taken = min(max(bytes, 0), left)
        if taken > 0 { self.charge(bytes: taken, at: now) }
        return taken
    }

    /// Bytes that passed earlier in the present day, unlimited in bandwidth.
    package mutating func settle(bytes: UInt64) {
        self.day.add(bytes)
    }

    /// Until when this client's sockets may not be read; nil: reading may go on.
    package mutating func pause(at now: QuotaInstant) -> QuotaInstant? {
        guard let rate = self.byteRate else { return nil }
        self.bucket.refill(at: now, rate: rate)
        return self.bucket.level > 0 ? nil : self.bucket.positive(rate: rate)
    }

    /// The refusal of a client whose day is spent; it ends with the day.
    package mutating func daySpent(at now: QuotaInstant) -> QuotaRefusal? {
        self.day.roll(to: now)
        guard self.day.left(of: self.limits.bytesPerDay) == 0 else { return nil }
        return QuotaRefusal(kind: .dayBytes, retryAfter: self.day.end - now)
    }

    /// Whether a new client with these limits would be treated the same from now on.
    package func isAtRest(at now: QuotaInstant) -> Bool {
        var today = self.day
        today.roll(to: now)
        return self.sessions.inUse == 0 && self.sockets.inUse == 0
            && (self.connectPace == nil || self.connects.isAtRest(at: now))
            && (self.resolvePace == nil || self.resolves.isAtRest(at: now))
            && (self.byteRate.map { self.bucket.isFull(at: now, rate: $0) } ?? true)
            && (self.limits.bytesPerDay == 0 || today.used == 0)
    }

    /// The counters, for operators; the client's overrides are not known here.
    package func account(at now: QuotaInstant, node: String) -> ClientAccount {
        var day = self.day
        day.roll(to: now)
        let holding = ClientAccount.Holding(
            node: node, sessions: self.sessions.inUse, sockets: self.sockets.inUse)
        return ClientAccount(
            now: now, holdings: holding.sessions + holding.sockets > 0 ? [holding] : [], connects: self.connects,
            resolves: self.resolves, bandwidth: self.bucket, dayBytes: day.used, dayEnds: day.end)
    }

    package func usage(at now: QuotaInstant) -> QuotaUsage {
        var copy = self
        copy.day.roll(to: now)
        if let rate = self.byteRate { copy.bucket.refill(at: now, rate: rate) }
        return QuotaUsage(
            limits: self.limits,
            sessions: self.sessions.inUse, sockets: self.sockets.inUse,
            connectsLeft: self.connectPace.map { self.connects.available(at: now, pace: $0) },
            resolvesLeft: self.resolvePace.map { self.resolves.available(at: now, pace: $0) },
            byteTokens: self.byteRate == nil ? nil : copy.bucket.bytes,
            bytesToday: copy.day.used)
    }
}
