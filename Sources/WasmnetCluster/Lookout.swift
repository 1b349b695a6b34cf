import WasmnetQuota

/// Which buckets are looked at, four times a second, for data that was lost. A value without clock or I/O.
struct Lookout: Sendable {
    /// Ticks in which all buckets are looked at once; zero: one bucket each fourth tick stands for all.
    private let round: Int
    private let bucketCount: Int
    private var ticks = 0
    private var losses = 0

    init(isCluster: Bool, bucketCount: Int = RedisKeys.bucketCount) {
        self.bucketCount = bucketCount
        self.round = isCluster ? 20 : 0
    }

    /// - Parameter losses: how many were noticed so far.
    /// - Returns: whether there are more than last time, and the buckets to look at.
    mutating func next(losses: Int) -> (isLoss: Bool, buckets: Range<Int>) {
        let count = self.bucketCount
        defer {
            self.ticks &+= 1
            self.losses = losses
        }
        if losses != self.losses { return (true, 0..<count) }
        guard self.round > 0 else {
            let index = self.ticks / 4 % count
            return (false, self.ticks % 4 == 0 ? index..<index + 1 : 0..<0)
        }
        let tick = self.ticks % self.round
        return (false, tick * count / self.round..<(tick + 1) * count / self.round)
    }
}
