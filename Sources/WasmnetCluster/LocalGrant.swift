package import WasmnetQuota

/// Slots, requests of a rate, or both, of one client on one node: granted by the cluster and used here. A value
/// without clock, lock or I/O.
///
/// It takes from what it has; otherwise it asks, with one query at a time:
/// 1. A query states the total of slots wanted and carries a number that only grows. A lost or late one does no harm.
/// 2. An answer counts if it belongs to the newest query under the present epoch. Only an answer adds slots.
/// 3. A reduction takes effect before the query is sent.
/// 4. Without an answer the query is repeated, with a new number, before anything else.
/// 5. When the node's epoch is gone nothing is granted; the next query states what is open, and which epoch it replaces.
///
/// It requests a few more slots than it needs while there is room, so that most sockets wait for nothing, and about a quarter
/// of a second's worth of requests; these expire after ``requestLifetime``.
package struct LocalGrant: Sendable {
    package struct Need: Sendable, Hashable {
        package var slot: Bool
        package var request: Bool

        package init(slot: Bool, request: Bool) {
            self.slot = slot
            self.request = request
        }
    }

    package enum Decision: Sendable, Hashable {
        case taken
        case refused(QuotaRefusal)
        /// Send a query, and try again.
        case unknown
        /// Only a request is missing, and the cluster does not answer.
        case lacksRequest
    }

    /// A query to the cluster.
    package struct Query: Sendable, Hashable {
        /// Greater than any used before for this client under this epoch.
        package var sequence: Int64
        /// 0: not about slots.
        package var slotLimit: Int
        /// Slots in all.
        package var target: Int
        package var open: Int
        /// Slots that may be open when the answer arrives: those open now, and those granted before.
        package var held: Int
        /// The open slots that may have to end.
        package var loose: Int
        package var slotNeeded: Bool
        package var requests: Int
        /// Those of them that are being waited for.
        package var requestsNeeded: Int
        /// Requests that passed without a grant.
        package var requestsOwed: Int
        /// The epoch that held the slots before; empty: none.
        package var replaces: String
        package var sentAt: QuotaInstant

        package init(
            sequence: Int64, slotLimit: Int = 0, target: Int = 0, open: Int = 0, held: Int = 0, loose: Int = 0,
            slotNeeded: Bool = false,
            requests: Int = 0, requestsNeeded: Int = 0, requestsOwed: Int = 0, replaces: String = "",
            sentAt: QuotaInstant
        ) {
            self.sequence = sequence
            self.slotLimit = slotLimit
            self.target = target
            self.open = open
            self.held = held
            self.loose = loose
            self.slotNeeded = slotNeeded
            self.requests = requests
            self.requestsNeeded = requestsNeeded
            self.requestsOwed = requestsOwed
            self.replaces = replaces
            self.sentAt = sentAt
        }
    }

    package struct Reply: Sendable, Hashable {
        /// `rollCall`: after a loss, nothing grows until all nodes have declared again what they hold.
        package enum Missing: Int, Sendable { case nothing, dayBytes, slots, requests, rollCall }
        package var granted: Int
        /// Slots left for any node; negative: slots open above the limit.
        package var room: Int
        package var requests: Int
        package var missing: Missing
        /// Time until it is available, zero if unknown; if nothing is missing, until there is one more request.
        package var wait: QuotaDuration
    }

    /// Concurrent slots in the whole cluster; 0: unlimited.
    package private(set) var slotLimit = 0
    /// Nil: unlimited.
    package var pace: GCRA.Pace?
    private let slotKind: QuotaKind
    private let requestKind: QuotaKind

    /// Slots in use here.
    package private(set) var open = 0
    /// Slots that the cluster holds for this node.
    package private(set) var granted = 0
    /// The most slots that Redis may count for this node under its epoch.
    package private(set) var counted = 0
    private var replaces = ""
    package private(set) var inFlight: Query?
    /// Redis' state may differ from the state here.
    package private(set) var needsSync = false

    private var room = 0
    private var isRoomKnown = false
    /// More are open in the cluster than the limit, as after an outage: a slot closed here is not reopened without a query.
    private var isAboveLimit = false
    /// Slots in use without a lease since they were opened on credit, or their lease lapsed: if there is no room for them, they
    /// end. Slots above a limit that was lowered are not among them.
    package private(set) var loose = 0
    /// Slots in use that the newest answer covers; it does not cover those opened since.
    private var answeredFor = 0
    /// When sockets were last asked to end; they have by the next time.
    private var endedExcessAt = QuotaInstant.epoch
    private var requests = ExpiringCredits()
    /// Requests that passed without a grant, since they were last reported to the cluster.
    package private(set) var owed = 0
    private var refusedUntil = QuotaInstant.epoch
    private var fullUntil = QuotaInstant.epoch
    private var lastTake = QuotaInstant.epoch
    private var lastQuery = QuotaInstant.epoch
    private var lastReply = QuotaInstant.epoch
    /// Demand since the last query, whether granted or not.
    private var demand = 0
    private var block = 0
    /// The most slots open at once in this period of ``peakTime`` and in the one before it.
    private var peaks = (now: 0, before: 0, since: QuotaInstant.epoch)

    /// The most spare slots to keep.
    static let maxSpare = 8
    /// How long granted requests may be used, from when they were requested.
    package static let requestLifetime = QuotaDuration.milliseconds(300)
    /// The time that one draw of requests covers: less than their lifetime, so that few expire.
    private static let requestSpan = QuotaDuration.milliseconds(250)
    /// Requests that expire within this time are renewed.
    private static let queryAhead = QuotaDuration.milliseconds(30)
    /// Between two queries that nothing waits for.
    package static let pauseBetweenQueries = QuotaDuration.milliseconds(100)
    /// A refused client causes another query only after this; requests that become available meanwhile are saved up for it.
    package static let pauseAfterRefusal = QuotaDuration.milliseconds(250)
    /// Half of ``idleTime``.
    private static let peakTime = QuotaDuration.milliseconds(750)
    /// After this long without use spare slots are returned.
    package static let idleTime = QuotaDuration.milliseconds(1500)
    /// Slots are declared again after this long even if nothing changes, in case Redis lost the key; spread over eight seconds.
    package static func renewalTime(_ sequence: Int64) -> QuotaDuration { .seconds(53 + sequence & 7) }
    private var renewalTime = Self.renewalTime(0)

    package init(slots: QuotaKind, requests: QuotaKind) {
        self.slotKind = slots
        self.requestKind = requests
    }

    /// Applies another limit; open slots are declared if they were not before, and a lower limit leaves no spare slots.
    package mutating func apply(slotLimit limit: Int) {
        let limit = max(limit, 0)
        if self.slotLimit == 0, limit > 0, self.open > 0 || self.counted > 0 { self.needsSync = true }
        if limit == 0 {
            self.granted = 0
            self.needsSync = false
        } else if limit < self.slotLimit {
            self.granted = min(self.granted, self.open)
        }
        self.slotLimit = limit
    }

    // MARK: Taking

    /// Takes what is needed if it is available here.
    ///
    /// - Parameters:
    ///   - isLeaseValid: whether the node's leases still count in the cluster.
    ///   - slotsInAll: when no leased slot is left, more may be opened up to this total.
    ///   - isSilent: whether the cluster does not answer now: a request that it did not grant must come from the outage budget.
    package mutating func take(
        _ need: Need, now: QuotaInstant, isLeaseValid: Bool, slotsInAll: Int = 0, isSilent: Bool = false
    ) -> Decision {
        if need.slot, !self.isLeased(isLeaseValid), self.open >= slotsInAll {
            if now < self.fullUntil, self.open >= self.granted { return .refused(QuotaRefusal(kind: self.slotKind)) }
            return .unknown
        }
        let needsRequest = need.request && self.pace != nil
        if needsRequest, self.requests.count(at: now) == 0 {
            if isSilent { return .lacksRequest }
            guard now < self.refusedUntil else { return .unknown }
            self.demand += 1
            return .refused(QuotaRefusal(kind: self.requestKind, retryAfter: self.refusedUntil - now))
        }
        self.took(need, now, isLeaseValid: isLeaseValid)
        if needsRequest { _ = self.requests.take(1, now: now) }
        return .taken
    }

    /// Takes what is needed with a request that was not granted.
    ///
    /// - Parameter isOwed: whether the next query reports it to the cluster.
    package mutating func takeLent(_ need: Need, now: QuotaInstant, isLeaseValid: Bool, isOwed: Bool) {
        self.took(need, now, isLeaseValid: isLeaseValid)
        if isOwed { self.owed = min(self.owed + 1, Self.maxOwed) }
    }

    private static let maxOwed = 1 << 32

    private func isLeased(_ isLeaseValid: Bool) -> Bool {
        self.slotLimit == 0 || (isLeaseValid && self.open < self.granted)
    }

    private mutating func took(_ need: Need, _ now: QuotaInstant, isLeaseValid: Bool) {
        if need.slot {
            if !self.isLeased(isLeaseValid) {
                self.loose += 1
                self.needsSync = true
            }
            self.opened(now)
        }
        self.demand += 1
        self.lastTake = now
    }

    /// Refuses what answers did not grant although they said that nothing is missing, and pauses: the next query waits for
    /// ``pauseAfterRefusal``.
    package mutating func refuse(_ need: Need, now: QuotaInstant, isLeaseValid: Bool) -> QuotaRefusal {
        let until = now + Self.pauseAfterRefusal
        if need.slot, self.slotLimit > 0, !(isLeaseValid && self.open < self.granted) {
            self.granted = min(self.granted, self.open)
            self.fullUntil = max(self.fullUntil, until)
            return QuotaRefusal(kind: self.slotKind)
        }
        self.refusedUntil = max(self.refusedUntil, until)
        return QuotaRefusal(kind: self.requestKind, retryAfter: Self.pauseAfterRefusal)
    }

    private mutating func opened(_ now: QuotaInstant) {
        self.open += 1
        let age = now - self.peaks.since
        if age >= Self.peakTime {
            self.peaks = (self.open, age < Self.idleTime ? self.peaks.now : 0, now)
        }
        self.peaks.now = max(self.peaks.now, self.open)
    }

    package mutating func release() {
        self.open = max(self.open - 1, 0)
        self.loose = min(self.loose, self.open)
        if self.isAboveLimit { self.granted = min(self.granted, self.open) }
    }

    // MARK: Queries

    /// Whether a query is due although nothing waits: little is left, spare slots are idle, or an answer was lost.
    package func shouldRequest(now: QuotaInstant) -> Bool {
        guard self.inFlight == nil, now - self.lastQuery >= Self.pauseBetweenQueries else { return false }
        if self.needsSync { return true }
        let isActive = now - self.lastTake < Self.idleTime
        if self.slotLimit > 0 {
            if self.counted > 0, now - self.lastReply >= self.renewalTime { return true }
            if self.isAboveLimit, self.counted > self.open { return true }
            if self.loose > 0, now - self.lastReply >= Self.excessTime { return true }
            let spare = self.granted - self.open
            let wanted = self.spareWanted(now)
            if isActive {
                // A client refused by its rate opens nothing that would need more.
                if now < self.refusedUntil { return false }
                if spare < wanted / 2, now >= self.fullUntil { return true }
                if self.counted - self.open > 2 * wanted + 1 { return true }
            } else if self.counted > self.open {
                return true
            }
        }
        if self.owed > 0 { return true }
        if self.pace != nil, isActive, now >= self.refusedUntil {
            let block = self.requestBlock(now)
            if block > 1, self.requests.count(at: now + Self.queryAhead) <= block / 8 { return true }
        }
        return false
    }

    /// Whether open slots must be declared soon, or counted: ahead of queries that are merely useful.
    package func mustSync(now: QuotaInstant) -> Bool { self.needsSync && self.shouldRequest(now: now) }

    /// The next query; nil while one is in flight, or when there is nothing to ask.
    ///
    /// - Parameter sequence: greater than all passed before.
    package mutating func makeQuery(for waiting: [Need], now: QuotaInstant, sequence: Int64) -> Query? {
        guard self.inFlight == nil, self.slotLimit > 0 || self.pace != nil else { return nil }
        let slots = self.slotLimit > 0 ? waiting.count { $0.slot } : 0
        let requests = self.pace == nil ? 0 : waiting.count { $0.request }
        let target = self.slotLimit > 0 ? self.open + slots + self.spareWanted(now) : 0
        self.block = self.pace == nil ? 0 : self.requestBlock(now)
        let left = Int(self.requests.count(at: now + Self.queryAhead))
        self.granted = min(self.granted, target)
        let query = Query(
            sequence: sequence, slotLimit: self.slotLimit, target: target, open: self.open,
            held: max(self.open, self.granted), loose: self.loose, slotNeeded: slots > 0,
            requests: requests + max(self.block - left, 0),
            requestsNeeded: requests, requestsOwed: self.owed, replaces: self.replaces, sentAt: now)
        self.inFlight = query
        self.lastQuery = now
        self.demand = 0
        return query
    }

    /// Spare slots to keep: none when idle, up to ``maxSpare`` while there is ample room, and as many as were recently open
    /// at once, so that a client that opens and closes many does not return and request them all the time.
    private func spareWanted(_ now: QuotaInstant) -> Int {
        guard now - self.lastTake < Self.idleTime || !self.isRoomKnown else { return 0 }
        guard self.isRoomKnown else { return min(4, self.slotLimit / 8) }
        // Slots granted here already count as room.
        let free = self.room + max(self.granted - self.open, 0)
        let peak = max(self.peaks.now, self.peaks.before)
        return max(min(Self.maxSpare, free / 4), min(peak - self.open, free / 2))
    }

    /// Requests to keep: as many as were recently wanted in ``requestSpan``, at most a quarter of the burst.
    private func requestBlock(_ now: QuotaInstant) -> Int {
        guard let pace = self.pace else { return 0 }
        let elapsed = max((now - self.lastQuery).microseconds, Self.pauseBetweenQueries.microseconds)
        guard elapsed < 2_000_000 else { return 0 }
        let lately = (Int64(self.demand) * Self.requestSpan.microseconds + elapsed - 1) / elapsed
        let wanted = max(lately, elapsed < 400_000 ? Int64(self.block) / 2 : 0)
        return Int(clamping: min(wanted, max(pace.burst / 4, 1)))
    }

    // MARK: Answers

    package mutating func replied(_ query: Query, _ reply: Reply, now: QuotaInstant) {
        guard query == self.inFlight else { return }
        self.inFlight = nil
        self.lastReply = now
        self.renewalTime = Self.renewalTime(query.sequence)
        if query.slotLimit > 0 {
            // Redis takes back nothing that it granted, so its key is gone, and others may have been granted those slots.
            let known = min(query.open - query.loose, self.granted)
            if self.counted > 0, query.replaces.isEmpty, reply.granted < known { self.loose = self.open }
            self.counted = max(reply.granted, query.held)
            self.replaces = ""
        }
        if self.slotLimit > 0, query.slotLimit > 0 {
            // Under a limit that was lowered meanwhile there are no spare slots.
            self.granted = query.slotLimit > self.slotLimit ? min(reply.granted, self.open) : reply.granted
            self.room = max(reply.room, 0)
            self.isRoomKnown = true
            self.isAboveLimit = reply.room < 0
            self.answeredFor = query.open
            if self.isAboveLimit { self.granted = min(self.granted, self.open) }
            // Opened without a grant while the query was in flight: must be declared.
            self.needsSync = self.open > self.counted
            self.loose = min(self.loose, self.excess)
        }
        self.owed -= query.requestsOwed
        self.requests.add(Int64(reply.requests), until: query.sentAt + Self.requestLifetime)
        switch reply.missing {
        case .dayBytes, .rollCall: break
        case .nothing: self.refusedUntil = now + (reply.wait > .zero ? max(reply.wait, self.savingTime) : .zero)
        case .slots: self.fullUntil = now + max(reply.wait, Self.pauseAfterRefusal)
        case .requests: self.refusedUntil = now + max(reply.wait, self.savingTime, Self.pauseBetweenQueries)
        }
    }

    /// How long requests may be saved up without losing any: well within the burst.
    private var savingTime: QuotaDuration {
        min(.microseconds((self.pace?.window ?? 0) / 2), Self.pauseAfterRefusal)
    }

    /// No answer arrived, or no usable one.
    package mutating func failed(_ query: Query) {
        guard query == self.inFlight else { return }
        self.inFlight = nil
        guard query.slotLimit > 0 else { return }
        self.counted = max(self.counted, query.target, query.held)
        self.needsSync = self.slotLimit > 0
    }

    /// The node's leases no longer count. What Redis may remember of them is replaced by the next declaration.
    ///
    /// - Parameters:
    ///   - epoch: the one that held them.
    ///   - isLoss: they counted until the loss: their slots cannot have been granted to others, so what is open stays.
    package mutating func fenced(leaving epoch: String, isLoss: Bool = false) {
        if self.slotLimit > 0, self.inFlight != nil || self.counted > 0 || self.open > 0 { self.replaces = epoch }
        self.inFlight = nil
        self.granted = 0
        self.counted = 0
        self.isRoomKnown = false
        self.isAboveLimit = false
        if !isLoss { self.loose = self.slotLimit > 0 ? self.open : 0 }
        // Even if nothing is open, declare that the old lease holds nothing; otherwise it counts until it ends.
        self.needsSync = self.slotLimit > 0 && (self.open > 0 || (!isLoss && !self.replaces.isEmpty))
    }

    /// Redis may have lost its last answer: declare again.
    package mutating func resync() {
        if self.slotLimit > 0, self.open > 0 || self.counted > 0 { self.needsSync = true }
    }

    /// Whether Redis holds a lease for it, and no query is in flight.
    package var hasLease: Bool { self.slotLimit > 0 && self.counted > 0 && self.inFlight == nil && !self.needsSync }

    /// Whether Redis counts all open slots.
    package var isDeclared: Bool { self.slotLimit == 0 || (self.open <= self.counted && !self.needsSync) }

    /// Slots in use that the cluster did not grant.
    package var excess: Int { self.slotLimit > 0 ? max(self.open - self.granted, 0) : 0 }

    /// After this long loose slots are declared again, and end if there is still no room.
    private static let excessTime = QuotaDuration.seconds(2)

    /// How many slots in use must end after the answer that just arrived. Each is counted once only.
    package mutating func endExcess(now: QuotaInstant) -> Int {
        let excess = min(min(self.open, self.answeredFor) - self.granted, self.loose)
        guard self.slotLimit > 0, excess > 0, now - self.endedExcessAt >= Self.excessTime else { return 0 }
        self.endedExcessAt = now
        return excess
    }

    /// How many slots this node may have open in total, in an outage that begins now.
    ///
    /// - Parameters:
    ///   - parts: number of shares that the rest is divided into; 0: nothing may be opened on credit.
    package func slotsInOutage(parts: Int, now: QuotaInstant) -> Int {
        // Slots opened on an earlier credit are part of this one.
        let held = max(self.open - self.loose, self.granted)
        guard parts > 0, self.slotLimit > 0 else { return held }
        if self.isRoomKnown, now - self.lastReply <= Self.roomMemory { return held + self.room / parts }
        return max(held, max(self.slotLimit / parts, 1))
    }

    /// How long an answer's room counts as known.
    private static let roomMemory = QuotaDuration.seconds(60)

    /// Whether it can be dropped without losing anything.
    package var isIdle: Bool {
        self.open == 0 && self.counted == 0 && self.inFlight == nil && !self.needsSync && self.owed == 0
    }
}
