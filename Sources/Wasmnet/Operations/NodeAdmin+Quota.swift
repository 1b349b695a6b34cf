import RedisClient
import WasmnetAdmin
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay
import WasmnetNet

extension NodeAdmin {
    func quota(of client: String) async throws -> QuotaReport? {
        let id = try Self.client(client)
        return try await Self.answered { try await self.quotas.report(ofKnown: id, limits: self.policyLimits) }
    }

    func overrideQuota(
        of client: String, with request: QuotaRequest, for time: QuotaDuration
    ) async throws -> QuotaReport {
        let id = try Self.client(client)
        let overrides: QuotaOverrides
        do throws(QuotaProblems) {
            overrides = try QuotaOverrides(request, over: self.policyLimits)
        } catch {
            throw AdminError.unprocessable("bad_override", error.all.map { $0.text() }.joined(separator: "; "))
        }
        let report = try await Self.answered {
            try await self.quotas.replace(with: overrides, for: time, of: id)
            return try await self.quotas.report(ofKnown: id, limits: self.policyLimits)
        }
        guard let report else { throw AdminError.notFound("there is no such client") }
        return report
    }

    func clearQuotaOverride(of client: String) async throws -> Bool {
        let id = try Self.client(client)
        return try await Self.answered { try await self.quotas.clear(id) }
    }

    private var policyLimits: ClientLimits { self.server.environment.policy.limits }

    private static func answered<Answer>(_ question: () async throws -> Answer) async throws -> Answer {
        do {
            return try await question()
        } catch is RedisError {
            throw AdminError.unavailable("redis_unavailable", "Redis does not answer; the quotas are counted there")
        }
    }

    /// `a:203.0.113.7`, `a:2001:db8::/64`, `a:local`, `t:subject`; an address alone is accepted too.
    private static func client(_ text: String) throws(AdminError) -> ClientID {
        guard let client = ClientID(written: text) else {
            throw .unprocessable(
                "bad_client", "a client is an address such as 203.0.113.7, or t:NAME; \(ClientName.rule)")
        }
        return client
    }
}
