/// The clients of a ledger by name, with a clock hand that visits and evicts them.
///
/// A client is idle when only the table refers to its allowance: neither it nor a slot of it is in use, so under the table's lock
/// no caller can obtain it either. Of an idle client only its debts are worth keeping: requests and bytes not yet made
/// up for, bytes of today under a day limit.
/// - Each new client moves the hand over two others; idle ones without such debts are dropped.
/// - At `capacity`, each new client makes the hand examine up to ``sample`` others and drop the least recently used idle one,
///   whatever it owes; above capacity, two.
///
/// **Bound**: `capacity` clients, or as many as were in use at once, whichever is more; a table that grew past its capacity while
/// most of its clients were in use shrinks again as new ones arrive. An idle client costs about 0.5 KiB (493 bytes measured with IPv6
/// names, table included).
struct ClientTable {
    private var entries: [InProcessAllowance] = []
    private var indices: [ClientID: Int] = [:]
    private var hand = 0
    private let capacity: Int
    private(set) var forgottenEarly = 0

    /// How many others are examined to find one to drop.
    static let sample = 16

    init(capacity: Int) {
        self.capacity = max(capacity, 1)
    }

    var count: Int { self.entries.count }

    func find(_ client: ClientID) -> InProcessAllowance? {
        guard let index = self.indices[client] else { return nil }
        return self.entries[index]
    }

    /// Adds a new client, and makes room for it.
    mutating func add(_ allowance: InProcessAllowance, at now: QuotaInstant) {
        self.dropAtRest(now)
        if self.entries.count >= self.capacity { self.dropOldest(now) }
        if self.entries.count >= self.capacity { self.dropOldest(now) }
        self.indices[allowance.client] = self.entries.count
        self.entries.append(allowance)
    }

    private mutating func dropAtRest(_ now: QuotaInstant) {
        for _ in 0..<min(2, self.entries.count) {
            let index = self.turnHand()
            if self.isIdle(index), self.entries[index].lastUse(unlessAtRest: now) == nil { self.remove(index) }
        }
    }

    private mutating func dropOldest(_ now: QuotaInstant) {
        var oldest: (index: Int, use: QuotaInstant)?
        for _ in 0..<min(Self.sample, self.entries.count) {
            let index = self.turnHand()
            guard self.isIdle(index) else { continue }
            guard let use = self.entries[index].lastUse(unlessAtRest: now) else {
                self.remove(index)
                return
            }
            if use < oldest?.use ?? .distantFuture { oldest = (index, use) }
        }
        if let oldest {
            self.remove(oldest.index)
            self.forgottenEarly += 1
        }
    }

    private mutating func isIdle(_ index: Int) -> Bool {
        isKnownUniquelyReferenced(&self.entries[index])
    }

    /// The position of the hand, which then advances. There must be one.
    private mutating func turnHand() -> Int {
        if self.hand >= self.entries.count { self.hand = 0 }
        defer { self.hand += 1 }
        return self.hand
    }

    /// The last one takes the free place.
    private mutating func remove(_ index: Int) {
        self.indices[self.entries[index].client] = nil
        let last = self.entries.removeLast()
        guard index < self.entries.count else { return }
        self.entries[index] = last
        self.indices[last.client] = index
    }
}
