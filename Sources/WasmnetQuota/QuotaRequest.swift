/// Limits for one client as requested by an operator: by the policy file's names and in its units, not checked yet. Nil: the policy's.
package struct QuotaRequest: Sendable, Hashable {
    package var maxSessions: Int?
    package var maxConnections: Int?
    package var connectsPerSec: Double?
    package var connectBurst: Int?
    package var resolvesPerSec: Double?
    package var resolveBurst: Int?
    package var maxBandwidthMbps: Double?
    /// Bytes.
    package var byteBurst: Int?
    package var bytesPerDay: UInt64?

    package init() {}

    package var isEmpty: Bool { self == QuotaRequest() }
}

/// Why a limit cannot be set.
package struct QuotaProblem: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case outOfRange(_ range: String, value: String)
        /// A burst needs this rate.
        case needs(_ rate: String)
        /// Nodes do not count what the policy does not limit.
        case notLimited
    }

    /// The limit, by the policy file's name.
    package var key: String
    package var kind: Kind

    package init(_ key: String, _ kind: Kind) {
        self.key = key
        self.kind = kind
    }

    /// As text.
    ///
    /// - Parameters:
    ///   - policy: the name of the policy that limits.
    ///   - name: the operator's name for a limit.
    package func text(policy: String = "the policy", named name: (String) -> String = { $0 }) -> String {
        switch self.kind {
        case .outOfRange(let range, let value): "\(name(self.key)) is \(range), not \(value)"
        case .needs(let rate): "\(name(self.key)) needs \(name(rate))"
        case .notLimited: "\(policy) does not limit \(self.key), so nodes with that policy do not count it"
        }
    }
}

/// All problems of a request.
package struct QuotaProblems: Error, Hashable {
    package var all: [QuotaProblem]
}

extension QuotaOverrides {
    /// Checks a request. An override cannot remove a limit, so 0 is not valid; and it cannot set one that the policy does not have.
    ///
    /// - Parameter limits: the policy's.
    package init(_ request: QuotaRequest, over limits: ClientLimits) throws(QuotaProblems) {
        self.init()
        var check = RequestCheck()
        self.maxSessions = check.amount(
            "max_sessions", request.maxSessions, RequestCheck.counts, isLimited: limits.maxSessions > 0)
        self.maxConnections = check.amount(
            "max_connections", request.maxConnections, RequestCheck.counts, isLimited: limits.maxConnections > 0)
        self.connects = check.rate(
            "connects_per_sec", request.connectsPerSec, isLimited: limits.connectsPerSecond > 0
        ).flatMap { GCRA.Pace(perSecond: $0, burst: request.connectBurst ?? 0) }
        check.burst(
            "connect_burst", request.connectBurst, RequestCheck.counts, of: "connects_per_sec", request.connectsPerSec)
        self.resolves = check.rate(
            "resolves_per_sec", request.resolvesPerSec, isLimited: limits.resolvesPerSecond > 0
        ).flatMap { GCRA.Pace(perSecond: $0, burst: request.resolveBurst ?? 0) }
        check.burst(
            "resolve_burst", request.resolveBurst, RequestCheck.counts, of: "resolves_per_sec", request.resolvesPerSec)
        self.bandwidth = check.rate(
            "max_bandwidth_mbps", request.maxBandwidthMbps, upTo: ClientLimits.megabits.upperBound,
            isLimited: limits.bytesPerSecond > 0
        ).flatMap { TokenBucket.Rate(bytesPerSecond: $0 * 125_000, burst: request.byteBurst ?? 0) }
        check.burst(
            "byte_burst", request.byteBurst, RequestCheck.bytes, of: "max_bandwidth_mbps", request.maxBandwidthMbps)
        self.bytesPerDay = check.amount(
            "bytes_per_day", request.bytesPerDay, RequestCheck.dayBytes, isLimited: limits.bytesPerDay > 0)
        guard check.problems.isEmpty else { throw QuotaProblems(all: check.problems) }
    }
}

/// Checks a request for an override, and collects its problems.
private struct RequestCheck {
    // Like a policy's limits, except for 0.
    static let counts = 1...ClientLimits.counts.upperBound
    static let bytes = 1...ClientLimits.byteBursts.upperBound
    static let dayBytes = 1...ClientLimits.dayBytes.upperBound

    private(set) var problems: [QuotaProblem] = []

    mutating func amount<Number>(
        _ key: String, _ value: Number?, _ range: ClosedRange<Number>, isLimited: Bool
    ) -> Number? {
        guard let value else { return nil }
        self.hold(key, value, to: range)
        self.need(isLimited, key)
        return value
    }

    /// Nil also if it is out of its range.
    mutating func rate(
        _ key: String, _ value: Double?, upTo most: Double = ClientLimits.perSecond.upperBound, isLimited: Bool
    ) -> Double? {
        guard let value else { return nil }
        self.need(isLimited, key)
        guard value > 0, value <= most else {
            self.problems.append(QuotaProblem(key, .outOfRange("above 0, to \(Int64(most))", value: "\(value)")))
            return nil
        }
        return value
    }

    mutating func burst(_ key: String, _ value: Int?, _ range: ClosedRange<Int>, of rate: String, _ given: Double?) {
        guard let value else { return }
        self.hold(key, value, to: range)
        if given == nil { self.problems.append(QuotaProblem(key, .needs(rate))) }
    }

    private mutating func hold<Number>(_ key: String, _ value: Number, to range: ClosedRange<Number>) {
        guard !range.contains(value) else { return }
        let words = "\(range.lowerBound) to \(range.upperBound)"
        self.problems.append(QuotaProblem(key, .outOfRange(words, value: "\(value)")))
    }

    private mutating func need(_ isLimited: Bool, _ key: String) {
        if !isLimited { self.problems.append(QuotaProblem(key, .notLimited)) }
    }
}
