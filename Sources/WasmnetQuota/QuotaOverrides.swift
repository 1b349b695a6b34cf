/// One client's limits that an operator set in place of the policy's. Nil: the policy's.
package struct QuotaOverrides: Sendable, Equatable {
    package var maxSessions: Int?
    package var maxConnections: Int?
    package var connects: GCRA.Pace?
    package var resolves: GCRA.Pace?
    package var bandwidth: TokenBucket.Rate?
    package var bytesPerDay: UInt64?

    package init() {}

    package var isEmpty: Bool { self == QuotaOverrides() }

    /// The limits with these in place of some. What a policy does not limit at all stays unlimited: nodes do not count it.
    package func applied(to limits: ClientLimits) -> ClientLimits {
        var limits = limits
        if limits.maxSessions > 0, let most = self.maxSessions { limits.maxSessions = most }
        if limits.maxConnections > 0, let most = self.maxConnections { limits.maxConnections = most }
        if limits.connectsPerSecond > 0, let pace = self.connects {
            limits.connectsPerSecond = 1_000_000 / Double(pace.interval)
            limits.connectBurst = Int(pace.burst)
        }
        if limits.resolvesPerSecond > 0, let pace = self.resolves {
            limits.resolvesPerSecond = 1_000_000 / Double(pace.interval)
            limits.resolveBurst = Int(pace.burst)
        }
        if limits.bytesPerSecond > 0, let rate = self.bandwidth {
            limits.bytesPerSecond = Double(rate.bytesPerSecond)
            limits.byteBurst = Int(rate.burst)
        }
        if limits.bytesPerDay > 0, let bytes = self.bytesPerDay { limits.bytesPerDay = bytes }
        return limits
    }

    /// The largest number that a Redis script can hold.
    package static let largest = UInt64(1) << 53

    /// The default duration of an override.
    package static let usualTime = QuotaDuration.seconds(86_400)
    /// The longest duration of an override.
    package static let longestTime = QuotaDuration.seconds(366 * 86_400)

    /// As stored: names and values, none above ``largest``.
    package var fields: [(String, Int64)] {
        var fields: [(String, Int64)] = []
        func add(_ name: String, _ value: Int64?) {
            if let value { fields.append((name, min(value, Int64(Self.largest)))) }
        }
        add("max_sessions", self.maxSessions.map(Int64.init))
        add("max_connections", self.maxConnections.map(Int64.init))
        add("connects_interval", self.connects?.interval)
        add("connects_burst", self.connects?.burst)
        add("resolves_interval", self.resolves?.interval)
        add("resolves_burst", self.resolves?.burst)
        add("bytes_per_second", self.bandwidth?.bytesPerSecond)
        add("byte_burst", self.bandwidth?.burst)
        add("bytes_per_day", self.bytesPerDay.map { Int64(clamping: $0) })
        return fields
    }

    /// Reads a hash as the scripts do: clamps to ``largest``; ignores unknown fields, and numbers below 1.
    package init(fields: [String: String]) {
        func number(_ name: String) -> Int64? {
            fields[name].flatMap(Int64.init).flatMap { $0 >= 1 ? min($0, Int64(Self.largest)) : nil }
        }
        func pace(_ name: String) -> GCRA.Pace? {
            guard let interval = number("\(name)_interval"), let burst = number("\(name)_burst") else { return nil }
            return GCRA.Pace(interval: interval, burst: burst)
        }
        self.maxSessions = number("max_sessions").map(Int.init)
        self.maxConnections = number("max_connections").map(Int.init)
        self.connects = pace("connects")
        self.resolves = pace("resolves")
        if let rate = number("bytes_per_second"), let burst = number("byte_burst") {
            self.bandwidth = TokenBucket.Rate(bytesPerSecond: Double(rate), burst: Int(burst))
        }
        self.bytesPerDay = number("bytes_per_day").map(UInt64.init)
    }
}
