import WasmnetQuota

/// Keeps questions that nobody waits for to so many a second, on average and with a second's worth at once.
struct AskPace: Sendable, Hashable {
    private let perSecond: Int64
    /// In millionths.
    private var left: Int64
    private var at = QuotaInstant.epoch

    init(perSecond: Int64) {
        self.perSecond = perSecond
        self.left = perSecond * 1_000_000
    }

    func allows(_ now: QuotaInstant) -> Bool { self.refilled(now) >= 1_000_000 }

    mutating func spend(_ now: QuotaInstant) {
        self.left = max(self.refilled(now) - 1_000_000, 0)
        self.at = max(self.at, now)
    }

    private func refilled(_ now: QuotaInstant) -> Int64 {
        let elapsed = min(max((now - self.at).microseconds, 0), 1_000_000)
        return min(self.left + elapsed * self.perSecond, self.perSecond * 1_000_000)
    }
}
