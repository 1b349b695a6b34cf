import WasmnetQuota

/// Which buckets are checked for a loss, four times a second. A value without clock or I/O.
struct Lookout: Sendable {
    /// Ticks in which all buckets are checked once; zero: any one bucket represents all.
    private let round: Int
    private let bucketCount: Int
    private var ticks = 0
    private var losses = 0
    /// Ticks since an answer about a bucket arrived.
    private var quietTicks = 0
    /// With the tick of the last answer, at most a second.
    private static let maxQuietTicks = 3

    init(isCluster: Bool, bucketCount: Int = RedisKeys.bucketCount) {
        self.bucketCount = bucketCount
        self.round = isCluster ? 20 : 0
    }

    /// - Parameters:
    ///   - losses: how many were noticed so far.
    ///   - hasHeard: whether an answer about a bucket arrived since the last call. It shows as much as a check.
    /// - Returns: whether there are more than last time, and the buckets to check.
    mutating func next(losses: Int, hasHeard: Bool) -> (isLoss: Bool, buckets: Range<Int>) {
        let count = self.bucketCount
        defer {
            self.ticks &+= 1
            self.losses = losses
        }
        self.quietTicks = hasHeard ? 0 : self.quietTicks + 1
        if losses != self.losses { return (true, 0..<count) }
        guard self.round > 0 else {
            guard self.quietTicks >= Self.maxQuietTicks else { return (false, 0..<0) }
            self.quietTicks = 0
            let index = self.ticks % count
            return (false, index..<index + 1)
        }
        let tick = self.ticks % self.round
        return (false, tick * count / self.round..<(tick + 1) * count / self.round)
    }
}
