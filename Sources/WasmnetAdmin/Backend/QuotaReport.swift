/// Limits in the units of the policy file; 0 is unlimited.
package struct QuotaLimitsReport: Sendable, Hashable, Codable {
    package var maxSockets: Int
    package var maxSessions: Int
    package var connectsPerSecond: Double
    package var connectBurst: Int
    package var resolvesPerSecond: Double
    package var resolveBurst: Int
    package var bytesPerSecond: Double
    package var byteBurst: Int
    package var bytesPerDay: UInt64

    package init(
        maxSockets: Int, maxSessions: Int, connectsPerSecond: Double, connectBurst: Int, resolvesPerSecond: Double,
        resolveBurst: Int, bytesPerSecond: Double, byteBurst: Int, bytesPerDay: UInt64
    ) {
        self.maxSockets = maxSockets
        self.maxSessions = maxSessions
        self.connectsPerSecond = connectsPerSecond
        self.connectBurst = connectBurst
        self.resolvesPerSecond = resolvesPerSecond
        self.resolveBurst = resolveBurst
        self.bytesPerSecond = bytesPerSecond
        self.byteBurst = byteBurst
        self.bytesPerDay = bytesPerDay
    }
}

/// What a client may use and uses.
package struct QuotaReport: Sendable, Hashable, Encodable {
    package var client: String
    /// In force, the override included.
    package var limits: QuotaLimitsReport
    /// What was overridden; nil: nothing.
    package var override: QuotaOverride?
    package var sessions: Int
    package var sockets: Int
    /// Sockets that could be opened at once now; nil: unlimited.
    package var connectsLeft: Int?
    package var resolvesLeft: Int?
    /// Negative while there is debt; nil: unlimited.
    package var bytesLeft: Int64?
    /// Of the current UTC day, both directions.
    package var bytesToday: UInt64

    package init(
        client: String, limits: QuotaLimitsReport, override: QuotaOverride?, sessions: Int, sockets: Int,
        connectsLeft: Int?, resolvesLeft: Int?, bytesLeft: Int64?, bytesToday: UInt64
    ) {
        self.client = client
        self.limits = limits
        self.override = override
        self.sessions = sessions
        self.sockets = sockets
        self.connectsLeft = connectsLeft
        self.resolvesLeft = resolvesLeft
        self.bytesLeft = bytesLeft
        self.bytesToday = bytesToday
    }
}

/// Limits that replace those of the policy for one client, for a time. A member that is nil leaves the policy's.
package struct QuotaOverride: Sendable, Hashable {
    /// What holds where no time is given: a day, in seconds.
    package static let usualTimeToLive = 86_400.0
    /// The longest time: 366 days, in seconds.
    package static let longestTimeToLive = 366 * 86_400.0

    /// For so many seconds, from now; nil: ``usualTimeToLive``. Not told in reports.
    package var timeToLive: Double?
    package var maxSockets: Int?
    package var maxSessions: Int?
    package var connectsPerSecond: Double?
    package var connectBurst: Int?
    package var resolvesPerSecond: Double?
    package var resolveBurst: Int?
    package var bytesPerSecond: Double?
    package var byteBurst: Int?
    package var bytesPerDay: UInt64?

    package init() {}
}

extension QuotaOverride: Codable {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case timeToLive = "ttl_seconds"
        case maxSockets = "max_sockets"
        case maxSessions = "max_sessions"
        case connectsPerSecond = "connects_per_second"
        case connectBurst = "connect_burst"
        case resolvesPerSecond = "resolves_per_second"
        case resolveBurst = "resolve_burst"
        case bytesPerSecond = "bytes_per_second"
        case byteBurst = "byte_burst"
        case bytesPerDay = "bytes_per_day"
    }

    /// Refuses names it does not know, numbers below 0, and an override of nothing.
    package init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(CodingKeys.self)
        self.maxSockets = try values.limit(.maxSockets)
        self.maxSessions = try values.limit(.maxSessions)
        self.connectsPerSecond = try values.limit(.connectsPerSecond)
        self.connectBurst = try values.limit(.connectBurst)
        self.resolvesPerSecond = try values.limit(.resolvesPerSecond)
        self.resolveBurst = try values.limit(.resolveBurst)
        self.bytesPerSecond = try values.limit(.bytesPerSecond)
        self.byteBurst = try values.limit(.byteBurst)
        self.bytesPerDay = try values.limit(.bytesPerDay)
        self.timeToLive = nil
        if self == QuotaOverride() { throw BodyError(path: "", "an override names at least one limit") }
        self.timeToLive = try values.decodeIfPresent(Double.self, forKey: .timeToLive)
        if let seconds = self.timeToLive, !(seconds > 0 && seconds <= Self.longestTimeToLive) {
            throw BodyError(path: "ttl_seconds", "an override holds longer than 0 seconds and at most 366 days")
        }
    }
}

extension KeyedDecodingContainer where Key == QuotaOverride.CodingKeys {
    fileprivate func limit<Number: Decodable & Comparable & Numeric>(_ key: Key) throws -> Number? {
        let number = try self.decodeIfPresent(Number.self, forKey: key)
        if let number, number < .zero { throw BodyError(path: key.stringValue, "a limit is not below 0") }
        return number
    }
}
