import Testing
import WasmnetQuota

/// Limits that an operator sets instead of a policy's.
@Suite struct QuotaRequestTests {
    private let limits = ClientLimits.only(
        maxConnections: 5, maxSessions: 5, connectsPerSecond: 5, resolvesPerSecond: 5, bytesPerSecond: 5, bytesPerDay: 5
    )

    private func problems(_ request: QuotaRequest, over limits: ClientLimits? = nil) -> [String] {
        do throws(QuotaProblems) {
            _ = try QuotaOverrides(request, over: limits ?? self.limits)
            return []
        } catch {
            return error.all.map { $0.text() }
        }
    }

    @Test func whatIsInItsRangeIsTaken() throws {
        var request = QuotaRequest()
        (request.maxSessions, request.maxConnections, request.bytesPerDay) = (1, 1_000_000, 1 << 53)
        (request.connectsPerSec, request.connectBurst) = (3, 7)
        (request.maxBandwidthMbps, request.byteBurst) = (1_000_000, 1 << 32)
        let overrides = try QuotaOverrides(request, over: self.limits)
        #expect(overrides.maxSessions == 1 && overrides.maxConnections == 1_000_000 && overrides.bytesPerDay == 1 << 53)
        #expect(overrides.connects == GCRA.Pace(perSecond: 3, burst: 7) && overrides.connects?.perSecond == 3)
        #expect(overrides.bandwidth == TokenBucket.Rate(bytesPerSecond: 125e9, burst: 1 << 32))
        #expect(overrides.resolves == nil)
        #expect(try QuotaOverrides(QuotaRequest(), over: .unlimited).isEmpty)
    }

    @Test func whatIsNotIsNamedAllAtOnce() {
        var request = QuotaRequest()
        (request.maxSessions, request.maxConnections, request.bytesPerDay) = (0, -1, (1 << 53) + 1)
        (request.connectsPerSec, request.resolvesPerSec, request.maxBandwidthMbps) = (.nan, -1, .infinity)
        (request.connectBurst, request.byteBurst) = (0, 1 << 33)
        #expect(
            self.problems(request) == [
                "max_sessions is 1 to 1000000, not 0", "max_connections is 1 to 1000000, not -1",
                "connects_per_sec is above 0, to 1000000, not nan", "connect_burst is 1 to 1000000, not 0",
                "resolves_per_sec is above 0, to 1000000, not -1.0",
                "max_bandwidth_mbps is above 0, to 1000000, not inf",
                "byte_burst is 1 to 4294967296, not 8589934592",
                "bytes_per_day is 1 to 9007199254740992, not \((UInt64(1) << 53) + 1)",
            ])
    }

    @Test func aBurstNeedsItsRateAndThePolicyALimit() {
        var request = QuotaRequest()
        request.resolveBurst = 5
        #expect(self.problems(request) == ["resolve_burst needs resolves_per_sec"])
        request = QuotaRequest()
        (request.maxSessions, request.maxBandwidthMbps) = (5, 5)
        #expect(
            self.problems(request, over: .unlimited) == [
                "the policy does not limit max_sessions, so nodes with that policy do not count it",
                "the policy does not limit max_bandwidth_mbps, so nodes with that policy do not count it",
            ])
    }
}
