package import WasmnetPolicy
package import WasmnetQuota

/// Bytes that one client may still pass through one node: drawn from the cluster ahead of use. A value without clock, lock or I/O.
///
/// Bandwidth: grants are used oldest first, and expire ``grantLifetime`` after the query. Bytes beyond them are a debt that the next query
/// charges before it draws anything. While the debt is below ``slack`` and the cluster has not said that nothing is left,
/// reading goes on: a client that was idle waits for nothing, and one that passes little lives on debt alone, charged once a second.
/// The amount requested follows recent use. A grant smaller than requested is all there is: it is spent evenly
/// until the next query is allowed, not in one burst followed by silence.
///
/// Day: a lease is debited before it is used; the next one is requested when half is left, and the unused rest is returned.
/// A lease lasts for half a second at least, so that few are needed at any speed.
package struct ByteBudget: Sendable {
    /// A query to the cluster.
    package struct Query: Sendable, Hashable {
        /// Bytes that passed beyond earlier grants.
        package var debt: Int64
        package var wanted: Int64
        /// Bytes that passed beyond earlier leases of the day.
        package var dayDebt: Int64
        package var dayReturned: Int64
        package var returnedDay: Int64
        package var wantsDay: Bool
        /// The bytes of half a second, if known.
        package var dayWanted: Int64
        package var sentAt: QuotaInstant

        package init(
            debt: Int64 = 0, wanted: Int64 = 0, dayDebt: Int64 = 0, dayReturned: Int64 = 0, returnedDay: Int64 = -1,
            wantsDay: Bool = false, dayWanted: Int64 = 0, sentAt: QuotaInstant
        ) {
            self.debt = debt
            self.wanted = wanted
            self.dayDebt = dayDebt
            self.dayReturned = dayReturned
            self.returnedDay = returnedDay
            self.wantsDay = wantsDay
            self.dayWanted = dayWanted
            self.sentAt = sentAt
        }
    }

    package struct Reply: Sendable, Hashable {
        package var granted: Int64
        /// Until bytes are available again; zero: now.
        package var wait: QuotaDuration
        package var dayLeased: Int64
        package var day: Int64
        package var dayEndsIn: QuotaDuration
        package var dayBytesLeft: Int64
    }

    /// How long a grant may be used.
    package static let grantLifetime = QuotaDuration.milliseconds(250)
    /// Bytes that may pass before the cluster has answered.
    package static let slack: Int64 = 16 << 10
    private static let smallestGrant: Int64 = 2 << 10
    /// A client that uses less than this in ``grantSpan`` gets no grants ahead; a smaller debt is not charged at once.
    private static let small: Int64 = 4 << 10
    private static let smallDebtTime = QuotaDuration.seconds(1)
    /// Average time between queries: fewer than ten a second with those about slots, and more than grants need.
    private static let queryInterval = QuotaDuration.milliseconds(200)
    /// How long a grant smaller than requested lasts: until shortly before the next.
    private static let evenTime = QuotaDuration.milliseconds(185)

    package var rate: TokenBucket.Rate? {
        didSet { self.size = min(self.size, self.largestGrant) }
    }
    /// 0: unlimited.
    package var bytesPerDay: UInt64 = 0

    private var grants = ExpiringCredits()
    /// Bytes that passed beyond all grants.
    private var debt: Int64 = 0
    /// Debt that may be incurred while there is no answer.
    private var lent: Int64 = 0
    private var blockedUntil = QuotaInstant.epoch
    private var size: Int64 = Self.slack
    /// A grant smaller than requested, when it was made, and what has passed since.
    private var even: (bytes: Int64, from: QuotaInstant, passed: Int64)?

    private var dayLeaseLeft: Int64 = 0
    /// Bytes beyond the lease that may pass in an outage.
    private var dayLent: Int64 = 0
    /// In an outage: no more is granted than what is left.
    private var dayIsFixed = false
    private var daySize: Int64 = 0
    private var day: Int64 = -1
    private var dayEnd = QuotaInstant.epoch
    /// What other nodes may still draw, as last reported; nil: never reported.
    package private(set) var dayBytesLeft: Int64?

    package private(set) var inFlight: Query?
    private var lastQuery = QuotaInstant.epoch
    private var lastUse = QuotaInstant.epoch
    /// Since the last query.
    private var used: Int64 = 0
    private var pace = QueryPace(interval: Self.queryInterval, burst: 5)

    package init() {}

    package var isLimited: Bool { self.rate != nil || self.bytesPerDay > 0 }

    /// A grant covers slightly less time than its lifetime, so that none of it is lost.
    private static let grantSpan = QuotaDuration.milliseconds(230)

    /// What the full rate passes in that time.
    private var largestGrant: Int64 {
        max(Self.smallestGrant, (self.rate?.bytesPerSecond ?? 0) * 23 / 100)
    }

    // MARK: Passing bytes

    package mutating func charge(_ bytes: Int64, now: QuotaInstant) {
        self.charge(overhead: bytes, now: now)
        if self.bytesPerDay > 0 {
            self.rollDay(now)
            self.dayLeaseLeft = max(self.dayLeaseLeft - bytes, -TokenBucket.maxBytes)
        }
    }

    /// Bytes that count toward the bandwidth only.
    package mutating func charge(overhead bytes: Int64, now: QuotaInstant) {
        self.lastUse = now
        self.used = min(self.used + bytes, TokenBucket.maxBytes)
        guard self.rate != nil else { return }
        self.expire(now)
        self.even?.passed += bytes
        self.debt = min(self.debt + bytes - self.grants.take(bytes, now: now), TokenBucket.maxBytes)
    }

    /// Takes bytes that are about to pass; of the day's, no more than is leased.
    package mutating func draw(_ bytes: Int64, now: QuotaInstant) -> Int64 {
        self.lastUse = now
        self.rollDay(now)
        let taken = self.bytesPerDay > 0 ? min(bytes, max(self.dayLeaseLeft + self.dayLent, 0)) : bytes
        if taken > 0 { self.charge(taken, now: now) }
        return taken
    }

    // MARK: While there is no answer

    /// Bytes missing to continue.
    package mutating func shortage(now: QuotaInstant) -> Int64 {
        self.expire(now)
        return Int64(self.rate?.readQuantum ?? 0) - min(self.left(now), 0)
    }

    /// Whether nothing is left of the grants and the loan.
    package mutating func lacksRate(now: QuotaInstant) -> Bool {
        guard self.rate != nil else { return false }
        self.expire(now)
        return self.left(now) <= 0
    }

    /// Lets this many bytes pass without a grant; they are owed.
    package mutating func lend(_ bytes: Int64) {
        self.lent = min(self.lent + bytes, TokenBucket.maxBytes)
    }

    /// Of the day, the lease and this node's share of what was left may pass, and no more until the outage ends.
    package mutating func outageBegan(_ mode: OutageMode, parts: Int) {
        guard self.bytesPerDay > 0 else { return }
        switch mode {
        case .static:
            let left = self.dayBytesLeft ?? ClusterLink.number(self.bytesPerDay)
            self.dayLent = left / Int64(max(parts, 1))
            self.dayIsFixed = true
        case .open: self.dayLent = ClusterLink.range.upperBound
        case .closed, .fence: break
        }
    }

    /// Bytes beyond the lease are owed to the day.
    package mutating func outageEnded() {
        self.dayLent = 0
        self.dayIsFixed = false
    }

    // MARK: Pauses

    /// Nil: reading may go on; otherwise not before this time.
    package mutating func pause(now: QuotaInstant) -> QuotaInstant? {
        var until: QuotaInstant?
        if self.rate != nil {
            self.expire(now)
            let left = self.left(now)
            if left <= 0, now < self.blockedUntil {
                until = self.blockedUntil
            } else if left <= -Self.slack {
                until = now + .milliseconds(1)
            } else {
                until = self.evenly(now)
            }
        }
        if self.bytesPerDay > 0, self.isDaySpent(now) == nil, self.dayLeaseLeft + self.dayLent <= 0 {
            // A reader waiting for a lease will use it soon; otherwise no more would be requested once the last bytes passed a moment ago.
            self.lastUse = now
            until = max(until ?? .epoch, now + .milliseconds(1))
        }
        return until
    }

    /// Nil: no more passed than was due by now.
    private mutating func evenly(_ now: QuotaInstant) -> QuotaInstant? {
        guard let even = self.even, even.bytes > 0, let rate = self.rate else { return nil }
        let span = Double(Self.evenTime.microseconds)
        let ahead = Double(even.passed - Int64(rate.readQuantum)) / Double(even.bytes) * span
        let due = even.from + .microseconds(Int64(min(max(ahead, 0), span)))
        guard due <= now else { return due }
        if now - even.from >= Self.evenTime { self.even = nil }
        return nil
    }

    /// Time until the day ends, if its bytes are spent.
    package mutating func isDaySpent(_ now: QuotaInstant) -> QuotaDuration? {
        guard self.bytesPerDay > 0 else { return nil }
        self.rollDay(now)
        guard self.dayLeaseLeft + self.dayLent <= 0, self.dayBytesLeft == 0 || self.dayIsFixed else { return nil }
        return self.dayBytesLeft == nil ? Outage.retry : self.dayEnd - now
    }

    /// Negative: debt.
    private func left(_ now: QuotaInstant) -> Int64 { self.grants.count(at: now) + self.lent - self.debt }

    private mutating func expire(_ now: QuotaInstant) {
        if self.grants.expire(now) > self.size / 2 { self.size = max(Self.smallestGrant, self.size / 2) }
    }

    private mutating func rollDay(_ now: QuotaInstant) {
        guard self.dayBytesLeft != nil, now >= self.dayEnd else { return }
        self.dayLeaseLeft = min(self.dayLeaseLeft, 0)
        self.daySize = 0
        self.dayBytesLeft = nil
    }

    // MARK: Queries

    /// Whether little is left and a query may be sent: five a second, on average.
    package mutating func shouldRequest(now: QuotaInstant) -> Bool {
        guard self.inFlight == nil, self.isLimited else { return false }
        self.expire(now)
        self.rollDay(now)
        let isActive = now - self.lastUse < Self.grantLifetime
        let owes = self.debt > Self.small || (self.debt > 0 && now - self.lastQuery >= Self.smallDebtTime)
        let isShort = isActive && self.size > Self.small && self.left(now) < self.size / 12
        // A grant smaller than requested lasts until a full grant is available again.
        let isSpendingAll = self.even != nil && now - self.lastQuery < Self.evenTime
        let wantsRate = self.rate != nil && (owes || isShort) && !isSpendingAll && now >= self.blockedUntil
        let wantsDay =
            self.bytesPerDay > 0
            && (self.dayLeaseLeft < 0 || (isActive && self.dayBytesLeft != 0 && self.dayLeaseLeft <= self.daySize / 2))
        guard wantsRate || wantsDay else { return false }
        return self.pace.allows(now)
    }

    /// A session begins: its first bytes are drawn before they arrive.
    package mutating func prepare(now: QuotaInstant) {
        self.lastUse = now
    }

    package mutating func makeQuery(now: QuotaInstant) -> Query {
        self.pace.spend(now)
        let perSecond = self.measure(now)
        let query = Query(
            debt: self.debt, wanted: self.rate == nil ? 0 : self.size, dayDebt: max(-self.dayLeaseLeft, 0),
            dayReturned: 0, returnedDay: -1,
            // Earlier than necessary, so that one query serves both.
            wantsDay: self.bytesPerDay > 0 && self.dayBytesLeft != 0 && self.dayLeaseLeft <= self.daySize / 4 * 3,
            dayWanted: perSecond / 2, sentAt: now)
        self.lastQuery = now
        self.inFlight = query
        return query
    }

    /// Sizes the next request by recent use; it grows fast where grants were used up.
    ///
    /// - Returns: recent bytes a second; 0: not known.
    private mutating func measure(_ now: QuotaInstant) -> Int64 {
        let elapsed = (now - self.lastQuery).microseconds
        var perSecond: Int64 = 0
        if elapsed > 0, elapsed <= 1_000_000 {
            let measured = Double(self.used) / Double(elapsed)
            perSecond = Int64(min(measured * 1_000_000, Double(TokenBucket.maxBytes)))
            let isShort = self.left(now) <= 0 && elapsed < Self.grantLifetime.microseconds
            self.size = max(
                Int64(measured * Double(Self.grantSpan.microseconds)), isShort ? self.size * 8 : self.size / 2)
        }
        self.size = min(max(self.size, self.debt, Self.smallestGrant), self.largestGrant)
        self.used = 0
        return perSecond
    }

    /// The query that returns the rest of the day's lease; nil when there is none.
    package mutating func giveBack(now: QuotaInstant) -> Query? {
        guard self.inFlight == nil else { return nil }
        self.expire(now)
        self.rollDay(now)
        let returned = max(self.dayLeaseLeft, 0)
        let dayDebt = max(-self.dayLeaseLeft, 0)
        let debt = self.rate == nil ? 0 : self.debt
        guard returned > 0 || dayDebt > 0 || debt > 0 else { return nil }
        self.dayLeaseLeft -= returned
        let query = Query(
            debt: debt, wanted: 0, dayDebt: dayDebt, dayReturned: returned, returnedDay: self.day, wantsDay: false,
            sentAt: now)
        self.inFlight = query
        return query
    }

    // MARK: Answers

    package mutating func replied(_ query: Query, _ reply: Reply, now: QuotaInstant) {
        guard query == self.inFlight else { return }
        self.inFlight = nil
        if self.rate != nil {
            self.expire(now)
            // Bytes that passed while the query was in flight are charged to the grant.
            self.debt = max(self.debt - query.debt, 0)
            self.lent = 0
            let granted = max(reply.granted, 0)
            let paid = min(self.debt, granted)
            self.debt -= paid
            self.grants.add(granted - paid, until: query.sentAt + Self.grantLifetime)
            self.blockedUntil = reply.wait > .zero ? now + reply.wait : .epoch
            let left = self.grants.count(at: now)
            self.even = reply.granted < query.wanted && left > 0 ? (left, now, 0) : nil
        }
        if self.bytesPerDay > 0 {
            if reply.day != self.day { self.dayLeaseLeft = min(self.dayLeaseLeft, 0) }
            // Redis may answer with anything: keep sums far from the type's limits.
            let left = self.dayLeaseLeft + query.dayDebt + reply.dayLeased
            self.dayLeaseLeft = min(max(left, -TokenBucket.maxBytes), ClusterLink.range.upperBound)
            self.day = reply.day
            self.dayEnd = now + reply.dayEndsIn
            self.dayBytesLeft = reply.dayBytesLeft
            if query.wantsDay { self.daySize = reply.dayLeased }
        }
    }

    /// No answer arrived. What passed stays owed, possibly twice; a returned lease is lost.
    package mutating func failed(_ query: Query) {
        guard query == self.inFlight else { return }
        self.inFlight = nil
    }

    /// Whether it can be dropped without losing anything.
    package func isIdle(now: QuotaInstant) -> Bool {
        self.inFlight == nil && (self.rate == nil || self.debt == 0)
            && (self.bytesPerDay == 0 || self.dayLeaseLeft == 0 || now >= self.dayEnd)
    }
}
