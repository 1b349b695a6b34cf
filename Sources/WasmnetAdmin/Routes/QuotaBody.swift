import WasmnetQuota

/// The body that sets limits for one client, for a time.
struct QuotaBody: Decodable {
    let request: QuotaRequest
    let time: QuotaDuration

    enum CodingKeys: String, CodingKey, CaseIterable {
        case timeToLive = "ttl_seconds"
        case maxSessions = "max_sessions"
        case maxConnections = "max_connections"
        case connectsPerSec = "connects_per_sec"
        case connectBurst = "connect_burst"
        case resolvesPerSec = "resolves_per_sec"
        case resolveBurst = "resolve_burst"
        case maxBandwidthMbps = "max_bandwidth_mbps"
        case byteBurst = "byte_burst"
        case bytesPerDay = "bytes_per_day"
    }

    /// Names of earlier versions, and their replacements.
    private static let renamed = [
        "max_sockets": "max_connections", "connects_per_second": "connects_per_sec",
        "resolves_per_second": "resolves_per_sec", "bytes_per_second": "max_bandwidth_mbps, in megabits",
    ]

    /// Rejects unknown names, and a body without limits. The node checks the ranges, since it knows the policy.
    init(from decoder: any Decoder) throws {
        let values = try decoder.strictContainer(CodingKeys.self, renamed: Self.renamed)
        var request = QuotaRequest()
        request.maxSessions = try values.decodeIfPresent(Int.self, forKey: .maxSessions)
        request.maxConnections = try values.decodeIfPresent(Int.self, forKey: .maxConnections)
        request.connectsPerSec = try values.decodeIfPresent(Double.self, forKey: .connectsPerSec)
        request.connectBurst = try values.decodeIfPresent(Int.self, forKey: .connectBurst)
        request.resolvesPerSec = try values.decodeIfPresent(Double.self, forKey: .resolvesPerSec)
        request.resolveBurst = try values.decodeIfPresent(Int.self, forKey: .resolveBurst)
        request.maxBandwidthMbps = try values.decodeIfPresent(Double.self, forKey: .maxBandwidthMbps)
        request.byteBurst = try values.decodeIfPresent(Int.self, forKey: .byteBurst)
        request.bytesPerDay = try values.decodeIfPresent(UInt64.self, forKey: .bytesPerDay)
        if request.isEmpty { throw BodyError(path: "", "an override names at least one limit") }
        self.request = request
        self.time = try Self.time(values.decodeIfPresent(Double.self, forKey: .timeToLive))
    }

    private static func time(_ seconds: Double?) throws -> QuotaDuration {
        guard let seconds else { return QuotaOverrides.usualTime }
        let most = QuotaOverrides.longestTime
        guard seconds > 0, seconds <= Double(most.microseconds / 1_000_000) else {
            throw BodyError(path: "ttl_seconds", "an override holds longer than 0 seconds and at most 366 days")
        }
        // In range, so the microseconds fit into 64 bits.
        return .microseconds(max(1000, Int64(seconds * 1_000_000)))
    }
}
