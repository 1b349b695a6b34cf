import RedisClient
import WasmnetAdmin
import WasmnetCluster
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay

/// What a client uses and may use, wherever it is counted.
protocol QuotaDesk: Sendable {
    /// Nil for a client that nobody knows.
    func report(of client: ClientID, policy: QuotaLimits) async throws -> QuotaReport?
    /// Replaces what was set for the client.
    func set(_ overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws
    /// - Returns: false where nothing was set.
    func clear(_ client: ClientID) async throws -> Bool
}

/// Of a node that counts for itself.
struct InProcessQuotaDesk: QuotaDesk {
    let ledger: InProcessLedger

    func report(of client: ClientID, policy: QuotaLimits) async throws -> QuotaReport? {
        let overriding = self.ledger.overriding(of: client)
        guard var usage = self.ledger.usage(of: client) ?? overriding.map({ _ in .unused(policy) }) else { return nil }
        if let overriding { usage.limits = overriding.overrides.applied(to: usage.limits) }
        return QuotaReport(client, usage, overriding?.overrides)
    }

    func set(_ overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws {
        guard self.ledger.set(overrides, for: time, of: client) else {
            throw AdminError.unprocessable(
                "too_many_overrides", "limits are set for \(InProcessLedger.mostOverrides) clients already")
        }
    }

    func clear(_ client: ClientID) async throws -> Bool {
        guard self.ledger.overriding(of: client) != nil else { return false }
        return self.ledger.set(nil, for: .zero, of: client)
    }
}

/// Of a cluster.
struct RedisQuotaDesk: QuotaDesk {
    let member: ClusterMember

    func report(of client: ClientID, policy: QuotaLimits) async throws -> QuotaReport? {
        let account = try await Self.answered { () throws(RedisError) in
            try await self.member.accounts.account(of: client)
        }
        let known = self.member.ledger.knownAllowance(of: client)?.usage(now: account.now)
        let limits = account.overrides.applied(to: known?.limits ?? policy)
        guard known != nil || account != account.unused else { return nil }
        var usage = QuotaUsage.unused(limits)
        usage.sessions = account.sessions
        usage.sockets = account.sockets
        usage.bytesToday = account.dayBytes
        if let pace = GCRA.Pace(perSecond: limits.connectsPerSecond, burst: limits.connectBurst) {
            usage.connectsLeft = account.connects.available(at: account.now, pace: pace)
        }
        if let pace = GCRA.Pace(perSecond: limits.resolvesPerSecond, burst: limits.resolveBurst) {
            usage.resolvesLeft = account.resolves.available(at: account.now, pace: pace)
        }
        if let rate = TokenBucket.Rate(bytesPerSecond: limits.bytesPerSecond, burst: limits.byteBurst) {
            var bucket = account.bandwidth ?? TokenBucket()
            bucket.refill(at: account.now, rate: rate)
            usage.byteTokens = bucket.bytes
        }
        return QuotaReport(client, usage, account.overrides.isEmpty ? nil : account.overrides)
    }

    func set(_ overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws {
        try await Self.answered { () throws(RedisError) in
            try await self.member.accounts.clearOverrides(of: client)
            try await self.member.accounts.set(overrides, for: time, of: client)
        }
    }

    func clear(_ client: ClientID) async throws -> Bool {
        try await Self.answered { () throws(RedisError) in
            try await self.member.accounts.clearOverrides(of: client)
        }
    }

    private static func answered<Answer>(
        _ question: () async throws(RedisError) -> Answer
    ) async throws(AdminError) -> Answer {
        do throws(RedisError) {
            return try await question()
        } catch {
            throw .unavailable("redis_unavailable", "Redis does not answer; the quotas are counted there")
        }
    }
}

extension QuotaUsage {
    fileprivate static func unused(_ limits: QuotaLimits) -> QuotaUsage {
        QuotaUsage(limits: limits, sessions: 0, sockets: 0, bytesToday: 0)
    }
}
