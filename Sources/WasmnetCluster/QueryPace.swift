import WasmnetQuota

/// Spaces out queries that nothing waits for by an average interval, with a few at once after a rest.
struct QueryPace: Sendable, Hashable {
    private let interval: Int64
    private let most: Int64
    /// Microseconds saved up; a query costs ``interval``.
    private var left: Int64
    private var at = QuotaInstant.epoch

    /// - Parameters:
    ///   - interval: more than zero.
    ///   - burst: queries at once after a rest, at least 1.
    init(interval: QuotaDuration, burst: Int64) {
        self.interval = interval.microseconds
        self.most = interval.microseconds * burst
        self.left = self.most
    }

    func allows(_ now: QuotaInstant) -> Bool { self.refilled(now) >= self.interval }

    mutating func spend(_ now: QuotaInstant) {
        self.left = max(self.refilled(now) - self.interval, 0)
        self.at = max(self.at, now)
    }

    private func refilled(_ now: QuotaInstant) -> Int64 {
        min(self.left + min(max((now - self.at).microseconds, 0), self.most), self.most)
    }
}
