import WasmnetQuota

/// The number of nodes, as read from the registry. A value without clock or I/O.
struct NodeCount: Sendable {
    /// How long a read counts: a node that can no longer reach Redis may still be serving.
    private static let memory = QuotaDuration.seconds(60)
    /// Between the two reads required: nodes that start together have all joined by the second.
    private static let settling = QuotaDuration.seconds(1)

    /// The latest read of each size.
    private var reads: [(at: QuotaInstant, count: Int)] = []
    private var first: QuotaInstant?
    private(set) var latest = 1
    private var isSettled = false

    mutating func read(_ count: Int, now: QuotaInstant) {
        self.latest = max(count, 1)
        let since = self.first ?? now
        self.first = since
        if now - since >= Self.settling { self.isSettled = true }
        self.reads.removeAll { $0.count <= self.latest || now - $0.at > Self.memory }
        self.reads.append((now, self.latest))
    }

    /// The most nodes read in the last minute, or in the last read.
    func largest(now: QuotaInstant) -> Int {
        self.reads.reduce(self.latest) { now - $1.at <= Self.memory ? max($0, $1.count) : $0 }
    }

    /// Whether slots may be opened on credit: the count is settled, or Redis was never reached and this node is alone as far as it knows.
    var allowsCredit: Bool { self.isSettled || self.first == nil }
}
