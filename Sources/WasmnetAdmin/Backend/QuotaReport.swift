import FoundationEssentials
package import WasmnetQuota

/// A client's usage and limits: one document, of the API and of `wasmnet-node quota --json`. An absent limit is
/// unlimited; names and units are the policy file's.
package struct QuotaReport: Sendable, Hashable {
    /// The origin of the limit: the policy, or an override for this client.
    package enum Source: String, Sendable, Encodable { case policy, override }

    /// A number in use at once, or in a day.
    package struct Amount: Sendable, Hashable, Encodable {
        package var used: UInt64
        package var limit: UInt64?
        package var from: Source
    }

    /// A rate per second, with a burst.
    package struct Rate: Sendable, Hashable, Encodable {
        /// What may pass now, requests or bytes; below 0 it is owed.
        package var available: Int64?
        /// A second: requests, or megabits.
        package var limit: Double?
        /// At once after a rest: requests, or bytes.
        package var burst: Int64?
        package var from: Source
    }

    package struct Limits: Sendable, Hashable, Encodable {
        package var maxSessions, maxConnections, bytesPerDay: Amount
        package var connectsPerSec, resolvesPerSec, maxBandwidthMbps: Rate

        enum CodingKeys: String, CodingKey {
            case maxSessions = "max_sessions"
            case maxConnections = "max_connections"
            case connectsPerSec = "connects_per_sec"
            case resolvesPerSec = "resolves_per_sec"
            case maxBandwidthMbps = "max_bandwidth_mbps"
            case bytesPerDay = "bytes_per_day"
        }
    }

    /// A node that has sessions or sockets of the client.
    package struct Holder: Sendable, Hashable, Encodable {
        /// Its id in the registry; its name if it has none.
        package var node: String
        /// Nil for a node that is not in the registry.
        package var name: String?
        package var address: String?
        package var sessions: Int
        package var sockets: Int

        package init(_ holding: ClientAccount.Holding, name: String?, address: String?) {
            self.node = holding.node
            self.name = name
            self.address = address
            self.sessions = holding.sessions
            self.sockets = holding.sockets
        }
    }

    package var client: String
    /// The file that a command took the policy's limits from. Nil: the node's own policy, or a command without one.
    package var policy: String?
    package var now: QuotaInstant
    package var dayEnds: QuotaInstant
    /// When the client's overrides expire; nil: none are set.
    package var overridesEnd: QuotaInstant?
    package var limits: Limits
    package var holders: [Holder]

    /// - Parameter limits: the policy's.
    package init(
        _ client: ClientID, _ account: ClientAccount, limits: ClientLimits, policy: String? = nil, holders: [Holder]
    ) {
        let (now, own) = (account.now, account.overrides)
        self.client = client.text
        self.policy = policy
        self.now = now
        self.dayEnds = account.dayEnds
        self.overridesEnd = account.overridesEnd
        self.limits = Limits(
            maxSessions: Amount(
                UInt64(clamping: account.sessions), of: UInt64(clamping: limits.maxSessions),
                own.maxSessions.map { UInt64(clamping: $0) }),
            maxConnections: Amount(
                UInt64(clamping: account.sockets), of: UInt64(clamping: limits.maxConnections),
                own.maxConnections.map { UInt64(clamping: $0) }),
            bytesPerDay: Amount(account.dayBytes, of: limits.bytesPerDay, own.bytesPerDay),
            connectsPerSec: Rate(
                account.connects, at: now, of: limits.connectsPerSecond, limits.connectBurst, own.connects),
            resolvesPerSec: Rate(
                account.resolves, at: now, of: limits.resolvesPerSecond, limits.resolveBurst, own.resolves),
            maxBandwidthMbps: Rate(
                account.bandwidth, at: now, of: limits.bytesPerSecond, limits.byteBurst, own.bandwidth))
        self.holders = holders
    }
}

// Overrides cannot limit what the policy does not: nodes do not query for it.

extension QuotaReport.Amount {
    /// - Parameter policy: 0 is unlimited.
    fileprivate init(_ used: UInt64, of policy: UInt64, _ own: UInt64?) {
        let own = policy > 0 ? own : nil
        self.init(used: used, limit: own ?? (policy > 0 ? policy : nil), from: own == nil ? .policy : .override)
    }
}

extension QuotaReport.Rate {
    fileprivate init(_ state: GCRA, at now: QuotaInstant, of policy: Double, _ burst: Int, _ own: GCRA.Pace?) {
        guard let pace = GCRA.Pace(perSecond: policy, burst: burst) else {
            self.init(from: .policy)
            return
        }
        self.init(
            available: Int64(state.available(at: now, pace: own ?? pace)), limit: own?.perSecond ?? policy,
            burst: (own ?? pace).burst, from: own == nil ? .policy : .override)
    }

    /// - Parameter policy: bytes.
    fileprivate init(
        _ state: TokenBucket?, at now: QuotaInstant, of policy: Double, _ burst: Int, _ own: TokenBucket.Rate?
    ) {
        guard let rate = TokenBucket.Rate(bytesPerSecond: policy, burst: burst) else {
            self.init(from: .policy)
            return
        }
        var bucket = state ?? TokenBucket()
        bucket.refill(at: now, rate: own ?? rate)
        self.init(
            available: bucket.bytes, limit: (own.map { Double($0.bytesPerSecond) } ?? policy) / 125_000,
            burst: (own ?? rate).burst, from: own == nil ? .policy : .override)
    }
}

extension QuotaReport: Encodable {
    enum CodingKeys: String, CodingKey {
        case client, policy, now, limits, holders
        case dayEnds = "day_ends"
        case overridesEnd = "overrides_end"
    }

    package func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(self.client, forKey: .client)
        try values.encodeIfPresent(self.policy, forKey: .policy)
        try values.encode(self.now.text, forKey: .now)
        try values.encode(self.dayEnds.text, forKey: .dayEnds)
        try values.encodeIfPresent(self.overridesEnd?.text, forKey: .overridesEnd)
        try values.encode(self.limits, forKey: .limits)
        try values.encode(self.holders, forKey: .holders)
    }
}

extension QuotaInstant {
    /// By RFC 3339, in UTC, to the second.
    package var text: String {
        Date(timeIntervalSince1970: Double(self.microseconds / 1_000_000)).formatted(.iso8601)
    }
}
