/// How much one client may use, in the whole cluster. 0 is unlimited everywhere except for the time of a dial.
///
/// Creating a server with a number out of its range throws. Where nothing can be thrown, a policy clamps it to the
/// range, and replaces NaN with the default.
public struct ClientLimits: Sendable, Hashable {
    /// Open sockets, 0 to 1,000,000. Default 50.
    public var maxConnections = 50
    /// WebSockets, 0 to 1,000,000. Default unlimited.
    public var maxSessions = 0
    /// WebSockets that a client opens a second, on each node, 0 to 1,000,000. 0 is unlimited. Default 100.
    public var sessionsPerSecond = 100.0
    /// WebSockets opened at once after a quiet time, 0 to 1,000,000; 0 means twice a second's. Default 500.
    public var sessionBurst = 500
    /// Sockets that a client opens or binds a second, without incoming ones. 0 to 1,000,000. Default unlimited.
    public var connectsPerSecond = 0.0
    /// Connects at once after a quiet time, 0 to 1,000,000; 0 means twice a second's.
    public var connectBurst = 0
    /// Lookups a second, 0 to 1,000,000. Default unlimited.
    public var resolvesPerSecond = 0.0
    /// Lookups at once after a quiet time, 0 to 1,000,000; 0 means twice a second's.
    public var resolveBurst = 0
    /// Bits (not bytes) a second, both ways together, 0 to 10^12. Default unlimited.
    public var maxBandwidthBitsPerSecond = 0.0
    /// Bytes at once after a quiet time, up to 4 GiB; 0 means a quarter of a second's worth, at least 64 KiB. The policy file has no key
    /// for it.
    package var byteBurst = 0
    /// Bytes in both directions from midnight to midnight, UTC, 0 to 2^53. Default unlimited.
    public var bytesPerDay: UInt64 = 0
    /// Messages a second without effect (denied, refused, malformed, empty) and WebSocket pings, on each node. Above it the
    /// client's WebSockets are not read for a while; nothing is refused. 0 is unlimited. Default 100.
    public var refusalsPerSecond = 100.0
    /// Such messages at once after a quiet time; 0 means twice a second's.
    public var refusalBurst = 0
    /// Seconds without a byte after which a socket ends, 0 to 31,536,000 (a year). Default unlimited.
    public var idleTimeoutSeconds = 0.0
    /// Seconds a dial may take, TLS included, 0.1 to 3600. Default 30.
    public var connectionTimeoutSeconds = 30.0

    /// The defaults.
    public init() {}

    /// The bandwidth in bytes.
    package var bytesPerSecond: Double {
        get { self.maxBandwidthBitsPerSecond / 8 }
        set { self.maxBandwidthBitsPerSecond = newValue * 8 }
    }

    /// No limits except these.
    package static func only(
        maxConnections: Int = 0, maxSessions: Int = 0,
        connectsPerSecond: Double = 0, connectBurst: Int = 0,
        resolvesPerSecond: Double = 0, resolveBurst: Int = 0,
        bytesPerSecond: Double = 0, byteBurst: Int = 0,
        bytesPerDay: UInt64 = 0,
        refusalsPerSecond: Double = 0, refusalBurst: Int = 0,
        sessionsPerSecond: Double = 0, sessionBurst: Int = 0
    ) -> ClientLimits {
        var limits = ClientLimits()
        limits.maxConnections = maxConnections
        limits.maxSessions = maxSessions
        limits.connectsPerSecond = connectsPerSecond
        limits.connectBurst = connectBurst
        limits.resolvesPerSecond = resolvesPerSecond
        limits.resolveBurst = resolveBurst
        limits.bytesPerSecond = bytesPerSecond
        limits.byteBurst = byteBurst
        limits.bytesPerDay = bytesPerDay
        limits.refusalsPerSecond = refusalsPerSecond
        limits.refusalBurst = refusalBurst
        limits.sessionsPerSecond = sessionsPerSecond
        limits.sessionBurst = sessionBurst
        return limits
    }

    package static let unlimited = ClientLimits.only()
}

/// The ranges of a client's limits, the same for policy files, flags and embedding programs.
extension ClientLimits {
    /// Of sessions, sockets and bursts.
    package static let counts = 0...1_000_000
    /// Of sessions, connects and lookups a second.
    package static let perSecond = 0.0...1_000_000
    /// Of bandwidth, in megabits a second.
    package static let megabits = 0.0...1_000_000
    /// Of bytes at once after a rest.
    package static let byteBursts = 0...Int(TokenBucket.maxBytes)
    /// Of a dial's time, in seconds.
    package static let connectionTimeouts = 0.1...3600.0
    /// Of a socket's idle time, in seconds: up to a year.
    package static let idleTimeouts = 0.0...31_536_000.0

    /// Of bytes a day: up to 8192 TiB, the largest number that a Redis script can hold.
    package static let dayBytes: ClosedRange<UInt64> = 0...QuotaOverrides.largest

    /// Out-of-range members, one entry each, with the range.
    package var problems: [String] {
        var copy = self
        return copy.clamp()
    }

    /// Each member clamped to its range, with the default in place of NaN.
    package var clamped: ClientLimits {
        var copy = self
        _ = copy.clamp()
        return copy
    }

    private mutating func clamp() -> [String] {
        var problems: [String] = []
        func hold<Number: Comparable>(
            _ name: String, _ member: WritableKeyPath<Self, Number>, _ range: ClosedRange<Number>
        ) {
            let value = self[keyPath: member]
            guard !range.contains(value) else { return }
            problems.append("\(name) is \(range.lowerBound) to \(range.upperBound), not \(value)")
            self[keyPath: member] =
                if value < range.lowerBound { range.lowerBound } else if value > range.upperBound {
                    range.upperBound
                } else { Self()[keyPath: member] }
        }
        hold("maxConnections", \.maxConnections, Self.counts)
        hold("maxSessions", \.maxSessions, Self.counts)
        hold("sessionsPerSecond", \.sessionsPerSecond, Self.perSecond)
        hold("sessionBurst", \.sessionBurst, Self.counts)
        hold("connectsPerSecond", \.connectsPerSecond, Self.perSecond)
        hold("connectBurst", \.connectBurst, Self.counts)
        hold("resolvesPerSecond", \.resolvesPerSecond, Self.perSecond)
        hold("resolveBurst", \.resolveBurst, Self.counts)
        hold("refusalsPerSecond", \.refusalsPerSecond, Self.perSecond)
        hold("refusalBurst", \.refusalBurst, Self.counts)
        hold(
            "maxBandwidthBitsPerSecond", \.maxBandwidthBitsPerSecond,
            Self.megabits.lowerBound * 1e6...Self.megabits.upperBound * 1e6)
        hold("byteBurst", \.byteBurst, Self.byteBursts)
        hold("bytesPerDay", \.bytesPerDay, Self.dayBytes)
        hold("idleTimeoutSeconds", \.idleTimeoutSeconds, Self.idleTimeouts)
        hold("connectionTimeoutSeconds", \.connectionTimeoutSeconds, Self.connectionTimeouts)
        return problems
    }
}
