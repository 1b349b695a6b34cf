import WasmnetQuota

/// What one client may pass on this node, of rates and bandwidth, while Redis does not answer: this node's share of each burst,
/// refilled at its share of the rate. It is kept as long as the client is known, and no outage creates or refills it, so many
/// short outages allow no more than a long one.
struct OutageBudget: Sendable {
    private var connects = GCRA()
    private var resolves = GCRA()
    private var bytes = TokenBucket()
    private var connectPace: GCRA.Pace?
    private var resolvePace: GCRA.Pace?
    private var byteRate: TokenBucket.Rate?
    private var limits = ClientLimits.unlimited
    private var nodes = 0

    /// - Parameter nodes: number of shares that the limits are divided into; at least 1.
    mutating func apply(_ limits: ClientLimits, nodes: Int) {
        let nodes = max(nodes, 1)
        guard limits != self.limits || nodes != self.nodes else { return }
        self.limits = limits
        self.nodes = nodes
        self.connectPace = Self.part(limits.connectsPerSecond, limits.connectBurst, nodes)
        self.resolvePace = Self.part(limits.resolvesPerSecond, limits.resolveBurst, nodes)
        self.byteRate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst).flatMap {
            TokenBucket.Rate(
                bytesPerSecond: limits.bytesPerSecond / Double(nodes), burst: max(Int($0.burst) / nodes, 1))
        }
    }

    private static func part(_ rate: Double, _ burst: Int, _ nodes: Int) -> GCRA.Pace? {
        GCRA.Pace(perSecond: rate, burst: burst).flatMap {
            GCRA.Pace(perSecond: rate / Double(nodes), burst: max(Int($0.burst) / nodes, 1))
        }
    }

    /// One request of a rate. Nil: it passes.
    mutating func request(_ kind: RequestKind, now: QuotaInstant) -> QuotaDuration? {
        switch kind {
        case .connect: self.connectPace.flatMap { self.connects.request(at: now, pace: $0) }
        case .resolve: self.resolvePace.flatMap { self.resolves.request(at: now, pace: $0) }
        }
    }

    /// - Returns: how many bytes may pass, at most `wanted`.
    mutating func bytes(upTo wanted: Int64, now: QuotaInstant) -> Int64 {
        guard let rate = self.byteRate else { return wanted }
        return self.bytes.grant(bytes: wanted, at: now, rate: rate)
    }

    /// When bytes are available again.
    func bytesReturn(now: QuotaInstant) -> QuotaInstant {
        self.byteRate.map { max(self.bytes.positive(rate: $0), now + .milliseconds(1)) } ?? now
    }

    /// Whether it is full, so that a new one would be equal.
    func isFull(now: QuotaInstant) -> Bool {
        self.connects.isAtRest(at: now) && self.resolves.isAtRest(at: now)
            && (self.byteRate.map { self.bytes.isFull(at: now, rate: $0) } ?? true)
    }
}
