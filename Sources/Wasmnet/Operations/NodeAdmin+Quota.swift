import WasmnetAdmin
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay
import WasmnetText

extension NodeAdmin {
    func quota(of client: String) async throws -> QuotaReport? {
        try await self.quotas.report(of: try Self.client(client), policy: self.policyLimits)
    }

    func overrideQuota(of client: String, with override: QuotaOverride) async throws -> QuotaReport {
        let id = try Self.client(client)
        let overrides = try QuotaOverrides(override, policy: self.policyLimits)
        let seconds = override.timeToLive ?? QuotaOverride.usualTimeToLive
        try await self.quotas.set(overrides, for: .milliseconds(max(1, Int64(saturating: seconds * 1000))), of: id)
        guard let report = try await self.quotas.report(of: id, policy: self.policyLimits) else {
            throw AdminError.notFound("there is no such client")
        }
        return report
    }

    func clearQuotaOverride(of client: String) async throws -> Bool {
        try await self.quotas.clear(try Self.client(client))
    }

    private var policyLimits: QuotaLimits { QuotaLimits(self.server.environment.policy.limits) }

    /// `a:203.0.113.7`, `a:2001:db8::/64`, `a:local`, `t:subject`; an address alone is one too.
    private static func client(_ text: String) throws(AdminError) -> ClientID {
        guard let client = ClientID(written: text) else {
            throw .unprocessable(
                "bad_client", "a client is an address such as 203.0.113.7, or t:NAME; \(ClientName.rule)")
        }
        return client
    }
}

extension QuotaOverrides {
    /// - Throws: for what no override can do: lift a limit, set one beyond its range, or limit what the policy does not.
    fileprivate init(_ override: QuotaOverride, policy: QuotaLimits) throws(AdminError) {
        self.init()
        func check(_ name: String, _ value: Any, isSound: Bool, _ range: String, isLimited: Bool = true)
            throws(AdminError)
        {
            guard isSound else {
                throw .unprocessable(
                    "bad_override", "\(name) is \(range), not \(value); an override does not lift a limit")
            }
            guard isLimited else {
                throw .unprocessable("bad_override", "\(name): the policy does not limit it, so nobody counts it")
            }
        }
        func check<Number>(_ name: String, _ value: Number?, _ range: ClosedRange<Number>, _ isLimited: Bool = true)
            throws(AdminError)
        {
            guard let value else { return }
            let words = "\(range.lowerBound) to \(range.upperBound)"
            try check(name, value, isSound: range.contains(value), words, isLimited: isLimited)
        }
        func check(_ name: String, _ value: Double?, upTo most: Double, _ isLimited: Bool) throws(AdminError) {
            guard let value else { return }
            let words = "above 0, to \(Int64(most))"
            try check(name, value, isSound: value > 0 && value <= most, words, isLimited: isLimited)
        }
        try check("max_sessions", override.maxSessions, Self.counts, policy.maxSessions > 0)
        try check("max_sockets", override.maxSockets, Self.counts, policy.maxSockets > 0)
        try check(
            "connects_per_second", override.connectsPerSecond, upTo: Self.mostPerSecond, policy.connectsPerSecond > 0)
        try check(
            "resolves_per_second", override.resolvesPerSecond, upTo: Self.mostPerSecond, policy.resolvesPerSecond > 0)
        try check(
            "bytes_per_second", override.bytesPerSecond, upTo: Self.mostBytesPerSecond, policy.bytesPerSecond > 0)
        try check("bytes_per_day", override.bytesPerDay, Self.bytesPerDayRange, policy.bytesPerDay > 0)
        try check("connect_burst", override.connectBurst, Self.counts)
        try check("resolve_burst", override.resolveBurst, Self.counts)
        try check("byte_burst", override.byteBurst, Self.byteBursts)
        for (burst, rate, name) in [
            (override.connectBurst, override.connectsPerSecond, "connect_burst"),
            (override.resolveBurst, override.resolvesPerSecond, "resolve_burst"),
            (override.byteBurst, override.bytesPerSecond, "byte_burst"),
        ] where burst != nil && rate == nil {
            throw .unprocessable("bad_override", "\(name) goes with its rate")
        }
        self.maxSessions = override.maxSessions
        self.maxSockets = override.maxSockets
        self.connects = override.connectsPerSecond.flatMap {
            GCRA.Pace(perSecond: $0, burst: override.connectBurst ?? 0)
        }
        self.resolves = override.resolvesPerSecond.flatMap {
            GCRA.Pace(perSecond: $0, burst: override.resolveBurst ?? 0)
        }
        self.bandwidth = override.bytesPerSecond.flatMap {
            TokenBucket.Rate(bytesPerSecond: $0, burst: override.byteBurst ?? 0)
        }
        self.bytesPerDay = override.bytesPerDay
    }
}

extension QuotaReport {
    init(_ client: ClientID, _ usage: QuotaUsage, _ overrides: QuotaOverrides?) {
        let limits = usage.limits
        self.init(
            client: client.text,
            limits: QuotaLimitsReport(
                maxSockets: limits.maxSockets, maxSessions: limits.maxSessions,
                connectsPerSecond: limits.connectsPerSecond, connectBurst: limits.connectBurst,
                resolvesPerSecond: limits.resolvesPerSecond, resolveBurst: limits.resolveBurst,
                bytesPerSecond: limits.bytesPerSecond, byteBurst: limits.byteBurst, bytesPerDay: limits.bytesPerDay),
            override: overrides.map(QuotaOverride.init), sessions: usage.sessions, sockets: usage.sockets,
            connectsLeft: usage.connectsLeft, resolvesLeft: usage.resolvesLeft, bytesLeft: usage.byteTokens,
            bytesToday: usage.bytesToday)
    }
}

extension QuotaOverride {
    fileprivate init(_ overrides: QuotaOverrides) {
        self.init()
        self.maxSessions = overrides.maxSessions
        self.maxSockets = overrides.maxSockets
        self.connectsPerSecond = overrides.connects.map { 1_000_000 / Double($0.interval) }
        self.connectBurst = overrides.connects.map { Int($0.burst) }
        self.resolvesPerSecond = overrides.resolves.map { 1_000_000 / Double($0.interval) }
        self.resolveBurst = overrides.resolves.map { Int($0.burst) }
        self.bytesPerSecond = overrides.bandwidth.map { Double($0.bytesPerSecond) }
        self.byteBurst = overrides.bandwidth.map { Int($0.burst) }
        self.bytesPerDay = overrides.bytesPerDay
    }
}
