package import WasmnetQuota

/// Slots, requests of a rate, or both, of one client on one node: what was granted by the cluster and is used here. A value
/// without clock, lock or I/O.
///
/// It takes from what it has; else it asks, one question at a time:
/// 1. A question says the slots wanted in all and carries a number that only grows. A lost or late one does no harm.
/// 2. An answer counts if it belongs to the newest question. Growth is by an answer only.
/// 3. Fewer slots hold from before the question is sent.
/// 4. Without an answer the question is asked again, with a new number, before anything else.
/// 5. When the node's epoch is gone nothing is granted; the next question says what is open.
///
/// It asks for a few more slots than it needs while there is room, so that most sockets wait for nothing, and for about a fifth
/// of a second's worth of requests; these are lost after ``requestLifetime``.
package struct Lane: Sendable {
    package struct Need: Sendable, Hashable {
        package var slot: Bool
        package var request: Bool

        package init(slot: Bool, request: Bool) {
            self.slot = slot
            self.request = request
        }
    }

    package enum Answer: Sendable, Hashable {
        case taken
        case refused(QuotaRefusal)
        /// Ask, and try again.
        case unknown
    }

    /// A question to the cluster.
    package struct Ask: Sendable, Hashable {
        package var sequence: Int64
        /// Slots in all.
        package var target: Int
        package var open: Int
        package var slotNeeded: Bool
        package var requests: Int
        package var requestNeeded: Bool
        package var sentAt: QuotaInstant
    }

    package struct Reply: Sendable, Hashable {
        package enum Missing: Int, Sendable { case nothing, dayBytes, slots, requests }
        package var granted: Int
        /// Slots that are left to everybody.
        package var room: Int
        package var requests: Int
        package var missing: Missing
        /// Until it is there; zero if that is not known.
        package var wait: QuotaDuration
    }

    /// Slots at once in the whole cluster; 0: unlimited.
    package private(set) var slotLimit = 0
    /// Nil: unlimited.
    package var pace: GCRA.Pace?
    private let slotKind: QuotaKind
    private let requestKind: QuotaKind

    /// Slots in use here.
    package private(set) var open = 0
    /// Slots that the cluster holds for this node.
    package private(set) var granted = 0
    private var sequence: Int64 = 0
    package private(set) var inFlight: Ask?
    /// What Redis knows may differ from what is so here.
    package private(set) var needsSync = false

    private var room = 0
    private var isRoomKnown = false
    private var requests = 0
    private var requestsUntil = QuotaInstant.epoch
    private var refusedUntil = QuotaInstant.epoch
    private var fullUntil = QuotaInstant.epoch
    private var lastTake = QuotaInstant.epoch
    private var lastAsk = QuotaInstant.epoch
    /// Wanted since the last question, whether granted or not.
    private var demand = 0
    private var block = 0

    /// The most slots that are kept for later.
    static let mostSpare = 8
    /// How long requests that were granted may be used, from when they were asked for.
    package static let requestLifetime = QuotaDuration.milliseconds(250)
    /// Between two questions that nobody waits for, and before a client that was refused costs another one.
    package static let pauseBetweenAsks = QuotaDuration.milliseconds(100)
    /// After this long without use spare slots go back.
    package static let idleTime = QuotaDuration.milliseconds(1500)

    package init(slots: QuotaKind, requests: QuotaKind) {
        self.slotKind = slots
        self.requestKind = requests
    }

    /// Another limit; what is open is declared where it was not before.
    package mutating func apply(slotLimit: Int) {
        if self.slotLimit == 0, slotLimit > 0, self.open > 0 { self.needsSync = true }
        if slotLimit == 0 { self.granted = 0 }
        self.slotLimit = max(slotLimit, 0)
    }

    // MARK: Taking

    /// Takes what is needed if it is here.
    ///
    /// - Parameter isLeaseValid: whether the node's leases count in the cluster still.
    package mutating func take(_ need: Need, now: QuotaInstant, isLeaseValid: Bool) -> Answer {
        var isMissing = false
        if need.slot, self.slotLimit > 0, !(isLeaseValid && self.open < self.granted) {
            if now < self.fullUntil, self.open >= self.granted { return .refused(QuotaRefusal(kind: self.slotKind)) }
            isMissing = true
        }
        if need.request, self.pace != nil, !(self.requests > 0 && now < self.requestsUntil) {
            if now < self.refusedUntil {
                self.demand += 1
                return .refused(QuotaRefusal(kind: self.requestKind, retryAfter: self.refusedUntil - now))
            }
            isMissing = true
        }
        if isMissing { return .unknown }
        if need.slot { self.open += 1 }
        if need.request, self.pace != nil { self.requests -= 1 }
        self.demand += 1
        self.lastTake = now
        return .taken
    }

    /// Takes a slot that nobody granted: the cluster is out of reach, and the policy says so.
    package mutating func takeUngranted(now: QuotaInstant) {
        self.open += 1
        self.needsSync = true
        self.lastTake = now
    }

    package mutating func release() {
        self.open = max(self.open - 1, 0)
        if self.open < self.granted { self.fullUntil = .epoch }
    }

    // MARK: Asking

    /// Whether it is time to ask although nobody waits: little is left, spare slots are idle, or an answer was lost.
    package func wantsToAsk(now: QuotaInstant) -> Bool {
        guard self.inFlight == nil, now - self.lastAsk >= Self.pauseBetweenAsks else { return false }
        if self.needsSync { return true }
        let isActive = now - self.lastTake < Self.idleTime
        if self.slotLimit > 0 {
            let spare = self.granted - self.open
            let wanted = self.spareWanted(now)
            if isActive ? spare < wanted / 2 || spare > 2 * wanted + 1 : spare > 0 { return true }
        }
        if self.pace != nil, isActive, now >= self.refusedUntil {
            let left = now < self.requestsUntil ? self.requests : 0
            if left <= self.requestBlock(now) / 2, self.requestBlock(now) > 1 { return true }
        }
        return false
    }

    /// The next question; nil while one is on its way, or when there is nothing to ask.
    package mutating func ask(for waiting: [Need], now: QuotaInstant) -> Ask? {
        guard self.inFlight == nil, self.slotLimit > 0 || self.pace != nil else { return nil }
        let slots = self.slotLimit > 0 ? waiting.count { $0.slot } : 0
        let requests = self.pace == nil ? 0 : waiting.count { $0.request }
        self.sequence += 1
        let target = self.slotLimit > 0 ? self.open + slots + self.spareWanted(now) : 0
        self.block = self.pace == nil ? 0 : self.requestBlock(now)
        let left = now < self.requestsUntil ? self.requests : 0
        let ask = Ask(
            sequence: self.sequence, target: target, open: self.open, slotNeeded: slots > 0,
            requests: self.pace == nil ? 0 : max(requests + self.block - left, requests), requestNeeded: requests > 0,
            sentAt: now)
        self.granted = min(self.granted, target)
        self.inFlight = ask
        self.lastAsk = now
        self.demand = 0
        return ask
    }

    /// Slots to keep for later: none when idle, up to ``mostSpare`` while there is room for many.
    private func spareWanted(_ now: QuotaInstant) -> Int {
        guard now - self.lastTake < Self.idleTime || !self.isRoomKnown else { return 0 }
        guard self.isRoomKnown else { return min(4, self.slotLimit / 8) }
        // What is here already is room as well.
        return min(Self.mostSpare, (self.room + max(self.granted - self.open, 0)) / 4)
    }

    /// Requests to have for later: as many as were wanted in a fifth of a second of late, and at most a quarter of the burst.
    private func requestBlock(_ now: QuotaInstant) -> Int {
        guard let pace = self.pace else { return 0 }
        let elapsed = max((now - self.lastAsk).microseconds, Self.pauseBetweenAsks.microseconds)
        guard elapsed < 2_000_000 else { return 0 }
        let wanted = max(Int64(self.demand) * 200_000 / elapsed, elapsed < 400_000 ? Int64(self.block) / 2 : 0)
        return Int(clamping: min(wanted, max(pace.burst / 4, 1)))
    }

    // MARK: Answers

    package mutating func replied(_ ask: Ask, _ reply: Reply, now: QuotaInstant) {
        guard ask == self.inFlight else { return }
        self.inFlight = nil
        self.needsSync = false
        if self.slotLimit > 0 {
            self.granted = reply.granted
            self.room = reply.room
            self.isRoomKnown = true
        }
        let left = now < self.requestsUntil ? self.requests : 0
        self.requests = left + reply.requests
        self.requestsUntil = ask.sentAt + Self.requestLifetime
        switch reply.missing {
        case .nothing, .dayBytes: break
        case .slots: self.fullUntil = now + max(reply.wait, Self.pauseBetweenAsks)
        case .requests: self.refusedUntil = now + max(reply.wait, Self.pauseBetweenAsks)
        }
    }

    /// No answer came, or none that says anything.
    package mutating func failed(_ ask: Ask) {
        guard ask == self.inFlight else { return }
        self.inFlight = nil
        self.needsSync = self.slotLimit > 0
    }

    /// The node's leases count no more.
    package mutating func fenced() {
        self.inFlight = nil
        self.granted = 0
        self.isRoomKnown = false
        self.needsSync = self.open > 0
    }

    /// Redis may have lost what it answered last: say it again.
    package mutating func resync() {
        if self.open > 0 || self.granted > 0 { self.needsSync = true }
    }

    /// Slots in use that the cluster did not grant.
    package var excess: Int { self.slotLimit > 0 ? max(self.open - self.granted, 0) : 0 }

    /// Whether nothing would be lost if it were forgotten.
    package var isIdle: Bool { self.open == 0 && self.granted == 0 && self.inFlight == nil && !self.needsSync }
}
