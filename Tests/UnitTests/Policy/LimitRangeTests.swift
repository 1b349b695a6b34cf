import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetQuota

/// The numbers of a client's limits, from any source.
@Suite struct LimitRangeTests {
    private static let beyond: [@Sendable (inout ClientLimits) -> Void] = [
        { $0.idleTimeoutSeconds = .infinity }, { $0.idleTimeoutSeconds = .nan }, { $0.idleTimeoutSeconds = 1e300 },
        { $0.idleTimeoutSeconds = -1 }, { $0.connectionTimeoutSeconds = .infinity },
        { $0.connectionTimeoutSeconds = .nan }, { $0.connectionTimeoutSeconds = 0 },
        { $0.connectionTimeoutSeconds = -.infinity }, { $0.maxBandwidthBitsPerSecond = .infinity },
        { $0.connectsPerSecond = .nan }, { $0.resolvesPerSecond = 1e9 }, { $0.maxConnections = -1 },
        { $0.maxConnections = .max }, { $0.maxSessions = .min }, { $0.connectBurst = .max }, { $0.resolveBurst = -5 },
        { $0.refusalsPerSecond = .nan }, { $0.sessionsPerSecond = .nan },
        { $0.sessionBurst = -1 }, { $0.refusalBurst = -1 }, { $0.bytesPerDay = (1 << 53) + 1 },
        { $0.byteBurst = -1 },
    ]

    @Test(arguments: Self.beyond.indices) func aLimitOutOfItsRangeIsNamedAndBroughtIntoIt(index: Int) {
        var rules = Policy.Rules()
        Self.beyond[index](&rules.limits)
        rules.tiers["pro"] = rules.limits
        let policy = Policy(rules)
        #expect(policy.problems.count == 2 && policy.problems[1].hasPrefix("tier pro: "), "\(policy.problems)")
        #expect(policy.problems[0].contains(" to "))
        for limits in [policy.limits, policy.limits(tier: "pro")] {
            #expect(limits.problems.isEmpty)
            #expect((0...31_536_000).contains(limits.idleTimeoutSeconds))
            #expect((0.1...3600).contains(limits.connectionTimeoutSeconds))
        }
    }

    /// One that is added later, too.
    @Test func everyLimitHasARange() {
        let named = Self.beyond.flatMap { change in
            var limits = ClientLimits()
            change(&limits)
            return limits.problems.map { String($0.prefix { $0 != " " }) }
        }
        let members = Mirror(reflecting: ClientLimits()).children.compactMap(\.label)
        #expect(Set(named) == Set(members))
    }

    @Test func limitsInTheirRangeStayAsTheyAre() {
        var rules = Policy.Rules()
        rules.limits.idleTimeoutSeconds = 31_536_000
        rules.limits.connectionTimeoutSeconds = 0.1
        rules.limits.maxBandwidthBitsPerSecond = 1e12
        rules.limits.maxConnections = 1_000_000
        rules.limits.bytesPerDay = 1 << 53
        let policy = Policy(rules)
        #expect(policy.problems.isEmpty && policy.limits == rules.limits)
        #expect(Policy.default.problems.isEmpty && Policy.unrestricted.problems.isEmpty)
        #expect(policy.limitingBandwidth(megabitsPerSecond: .infinity).limits.maxBandwidthBitsPerSecond == 1e12)
    }

    @Test(
        arguments: [
            "connection_timeout_secs = inf", "connection_timeout_secs = nan", "connection_timeout_secs = 0",
            "connection_timeout_secs = 1e300", "max_connections = 9223372036854775807", "max_connections = -1",
            "max_bandwidth_mbps = inf", "max_bandwidth_mbps = -nan",
        ])
    func aPolicyFileWithSuchANumberIsRefusedWithTheRange(line: String) {
        #expect { try PolicyFile.parse("[network]\n\(line)\n", file: "test.toml") } throws: { error in
            "\(error)".contains("test.toml:2") && "\(error)".contains(" to ")
        }
    }

    @Test(
        arguments: [
            "\"8193TiB\"", "9007199254740993", "4611686018427387904", "9223372036854775807", "\"9999999999999TiB\"",
            "-1",
            "\"much\"", "1.5",
        ])
    func bytesOfADayBeyondTheirRangeAreRefusedWithIt(value: String) {
        for table in ["limits", "tiers.pro"] {
            #expect { try PolicyFile.parse("[\(table)]\nbytes_per_day = \(value)\n", file: "test.toml") } throws: {
                error in
                "\(error)".contains("test.toml:2") && "\(error)".contains("from 0 to 8192TiB is needed, not \(value)")
            }
        }
    }

    @Test(arguments: ["\"8192TiB\"", "9007199254740992"]) func theMostBytesOfADayAreTaken(value: String) throws {
        let policy = try PolicyFile.parse("[limits]\nbytes_per_day = \(value)\n", file: "test.toml")
        #expect(policy.limits.bytesPerDay == 1 << 53)
    }

    @Test func whatIsNoNumberOrTooLargeSaturates() {
        #expect(Int64(saturating: .infinity) == .max && Int64(saturating: -.infinity) == .min)
        #expect(Int64(saturating: .nan) == 0 && Int64(saturating: -1.9) == -1 && Int64(saturating: 1e300) == .max)
        #expect(Int64(saturating: 9_223_372_036_854_774_784) == 9_223_372_036_854_774_784)
        #expect(UnixTime(secondsSinceEpoch: 1e300) == .last && UnixTime(secondsSinceEpoch: -1).milliseconds == 0)
    }
}
