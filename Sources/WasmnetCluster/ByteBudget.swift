package import WasmnetQuota

/// Bytes that one client may still pass through one node: drawn from the cluster ahead of use. A value without clock, lock or I/O.
///
/// Bandwidth: a grant is used within ``grantLifetime`` of being asked for, or lost. Bytes beyond it are a debt that the next question
/// charges before it draws anything; as long as the debt is below ``slack`` and the cluster has not said that nothing is left,
/// reading goes on, so that a client that was quiet waits for nothing. A grant that is used up early makes the next one larger, one
/// that is half lost makes it smaller.
///
/// Day: a lease is debited before it is used; the next one is asked for when half is left, and what is not used is given back.
package struct ByteBudget: Sendable {
    /// A question to the cluster.
    package struct Ask: Sendable, Hashable {
        /// Bytes that passed beyond earlier grants.
        package var debt: Int64
        package var wanted: Int64
        /// Bytes that passed beyond earlier leases of the day.
        package var dayDebt: Int64
        package var dayReturned: Int64
        package var returnedDay: Int64
        package var wantsDay: Bool
        package var sentAt: QuotaInstant
    }

    package struct Reply: Sendable, Hashable {
        package var granted: Int64
        /// Until there are bytes again; zero: there are.
        package var wait: QuotaDuration
        package var dayLeased: Int64
        package var day: Int64
        package var dayEndsIn: QuotaDuration
        package var dayLeft: Int64
    }

    /// How long a grant may be used.
    package static let grantLifetime = QuotaDuration.milliseconds(250)
    /// Bytes that may pass before the cluster has said anything of them.
    package static let slack: Int64 = 16 << 10
    private static let smallestGrant: Int64 = 2 << 10

    package var rate: TokenBucket.Rate? {
        didSet { self.size = min(self.size, self.largestGrant) }
    }
    /// 0: unlimited.
    package var bytesPerDay: UInt64 = 0

    private var left: Int64 = 0
    private var leftUntil = QuotaInstant.epoch
    private var blockedUntil = QuotaInstant.epoch
    private var size: Int64 = Self.slack

    private var dayLeft: Int64 = 0
    private var daySize: Int64 = 0
    private var day: Int64 = -1
    private var dayEnd = QuotaInstant.epoch
    /// What others may still draw, as last heard; nil: never heard.
    package private(set) var dayRest: Int64?

    package private(set) var inFlight: Ask?
    private var lastAsk = QuotaInstant.epoch
    private var lastUse = QuotaInstant.epoch
    /// Questions that may be sent at once, in thousandths; ten come a second.
    private var asksLeft: Int64 = 10_000
    private var asksAt = QuotaInstant.epoch

    package init() {}

    package var isLimited: Bool { self.rate != nil || self.bytesPerDay > 0 }

    /// A quarter of a second's worth.
    private var largestGrant: Int64 {
        max(Self.smallestGrant, (self.rate?.bytesPerSecond ?? 0) / 4)
    }

    // MARK: Passing bytes

    package mutating func charge(_ bytes: Int64, now: QuotaInstant) {
        self.lastUse = now
        if self.rate != nil {
            self.expire(now)
            self.left = max(self.left - bytes, -TokenBucket.mostBytes)
        }
        if self.bytesPerDay > 0 {
            self.rollDay(now)
            self.dayLeft = max(self.dayLeft - bytes, -TokenBucket.mostBytes)
        }
    }

    /// Bytes that passed while the cluster was out of reach: owed to the day.
    package mutating func passedUnseen(_ bytes: Int64, now: QuotaInstant) {
        guard self.bytesPerDay > 0 else { return }
        self.rollDay(now)
        self.dayLeft = max(self.dayLeft - bytes, -TokenBucket.mostBytes)
    }

    /// Nil: read. Else not before then.
    package mutating func pause(now: QuotaInstant) -> QuotaInstant? {
        var until: QuotaInstant?
        if self.rate != nil {
            self.expire(now)
            if self.left <= 0, now < self.blockedUntil {
                until = self.blockedUntil
            } else if self.left <= -Self.slack {
                until = now + .milliseconds(1)
            }
        }
        if self.bytesPerDay > 0, self.isDaySpent(now) == nil, self.dayLeft <= 0 {
            until = max(until ?? .epoch, now + .milliseconds(1))
        }
        return until
    }

    /// Until the day ends, if its bytes are spent.
    package mutating func isDaySpent(_ now: QuotaInstant) -> QuotaDuration? {
        guard self.bytesPerDay > 0 else { return nil }
        self.rollDay(now)
        return self.dayLeft <= 0 && self.dayRest == 0 ? self.dayEnd - now : nil
    }

    private mutating func expire(_ now: QuotaInstant) {
        guard self.left > 0, now >= self.leftUntil else { return }
        if self.left > self.size / 2 { self.size = max(Self.smallestGrant, self.size / 2) }
        self.left = 0
    }

    private mutating func rollDay(_ now: QuotaInstant) {
        guard self.dayRest != nil, now >= self.dayEnd else { return }
        self.dayLeft = min(self.dayLeft, 0)
        self.daySize = 0
        self.dayRest = nil
    }

    // MARK: Asking

    /// Whether little is left and a question may be sent: ten a second at most, on average.
    package mutating func wantsToAsk(now: QuotaInstant) -> Bool {
        guard self.inFlight == nil, self.isLimited else { return false }
        self.expire(now)
        self.rollDay(now)
        let isActive = now - self.lastUse < Self.grantLifetime
        let wantsRate =
            self.rate != nil && (self.left < 0 || (isActive && self.left < self.size / 2)) && now >= self.blockedUntil
        let wantsDay =
            self.bytesPerDay > 0
            && (self.dayLeft < 0 || (isActive && self.dayRest != 0 && self.dayLeft <= self.daySize / 2))
        guard wantsRate || wantsDay else { return false }
        return self.mayAsk(now)
    }

    /// A session begins: what it needs first is drawn before its bytes come.
    package mutating func prepare(now: QuotaInstant) {
        self.lastUse = now
    }

    private mutating func mayAsk(_ now: QuotaInstant) -> Bool {
        let elapsed = max((now - self.asksAt).microseconds, 0)
        self.asksLeft = min(self.asksLeft + elapsed / 100, 10_000)
        self.asksAt = now
        return self.asksLeft >= 1000
    }

    package mutating func ask(now: QuotaInstant) -> Ask {
        self.asksLeft -= 1000
        if self.left <= 0, now - self.lastAsk < .milliseconds(100) {
            self.size = min(self.size * 2, self.largestGrant)
        }
        self.size = min(self.size, self.largestGrant)
        let ask = Ask(
            debt: max(-self.left, 0), wanted: self.rate == nil ? 0 : self.size, dayDebt: max(-self.dayLeft, 0),
            dayReturned: 0, returnedDay: -1,
            wantsDay: self.bytesPerDay > 0 && self.dayRest != 0 && self.dayLeft <= self.daySize / 2, sentAt: now)
        self.lastAsk = now
        self.inFlight = ask
        return ask
    }

    /// The question that gives back what is left of the day's lease; nil when nothing is.
    package mutating func giveBack(now: QuotaInstant) -> Ask? {
        guard self.inFlight == nil else { return nil }
        self.expire(now)
        self.rollDay(now)
        let returned = max(self.dayLeft, 0)
        let dayDebt = max(-self.dayLeft, 0)
        let debt = self.rate == nil ? 0 : max(-self.left, 0)
        guard returned > 0 || dayDebt > 0 || debt > 0 else { return nil }
        self.dayLeft -= returned
        let ask = Ask(
            debt: debt, wanted: 0, dayDebt: dayDebt, dayReturned: returned, returnedDay: self.day, wantsDay: false,
            sentAt: now)
        self.inFlight = ask
        return ask
    }

    // MARK: Answers

    package mutating func replied(_ ask: Ask, _ reply: Reply, now: QuotaInstant) {
        guard ask == self.inFlight else { return }
        self.inFlight = nil
        if self.rate != nil {
            self.expire(now)
            self.left += ask.debt + reply.granted
            self.leftUntil = ask.sentAt + Self.grantLifetime
            self.blockedUntil = reply.wait > .zero ? now + reply.wait : .epoch
        }
        if self.bytesPerDay > 0 {
            if reply.day != self.day { self.dayLeft = min(self.dayLeft, 0) }
            self.dayLeft += ask.dayDebt + reply.dayLeased
            self.day = reply.day
            self.dayEnd = now + reply.dayEndsIn
            self.dayRest = reply.dayLeft
            if ask.wantsDay { self.daySize = reply.dayLeased }
        }
    }

    /// No answer came. What passed stays owed, if need be twice; a lease that was given back is lost.
    package mutating func failed(_ ask: Ask) {
        guard ask == self.inFlight else { return }
        self.inFlight = nil
    }

    /// Whether nothing would be lost if it were forgotten.
    package func isIdle(now: QuotaInstant) -> Bool {
        self.inFlight == nil && (self.rate == nil || self.left >= 0)
            && (self.bytesPerDay == 0 || self.dayLeft == 0 || now >= self.dayEnd)
    }
}
