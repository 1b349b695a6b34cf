import WasmnetQuota

/// Items granted ahead of use that expire after a while. The oldest are used first, so that newer ones do not extend their
/// lifetime.
struct ExpiringCredits: Sendable, Hashable {
    private struct Batch: Sendable, Hashable {
        var count: Int64
        var until: QuotaInstant
    }

    /// The oldest first; few, since queries are far apart.
    private var batches: [Batch] = []

    func count(at now: QuotaInstant) -> Int64 {
        self.batches.reduce(0) { now < $1.until ? $0 + $1.count : $0 }
    }

    /// Adds what may be used before `until`.
    mutating func add(_ count: Int64, until: QuotaInstant) {
        guard count > 0 else { return }
        self.batches.append(Batch(count: count, until: until))
    }

    /// Drops expired items.
    ///
    /// - Returns: how many.
    @discardableResult
    mutating func expire(_ now: QuotaInstant) -> Int64 {
        guard let first = self.batches.first, now >= first.until else { return 0 }
        let lost = self.batches.reduce(0) { now < $1.until ? $0 : $0 + $1.count }
        self.batches.removeAll { now >= $0.until }
        return lost
    }

    /// Takes up to this many.
    ///
    /// - Returns: how many were taken.
    mutating func take(_ wanted: Int64, now: QuotaInstant) -> Int64 {
        self.expire(now)
        var taken: Int64 = 0
        while taken < wanted, let first = self.batches.first {
            let part = min(first.count, wanted - taken)
            taken += part
            if part < first.count {
                self.batches[0].count -= part
            } else {
                self.batches.removeFirst()
            }
        }
        return taken
    }
}
