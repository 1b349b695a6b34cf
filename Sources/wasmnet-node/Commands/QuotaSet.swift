import ArgumentParser
import Wasmnet
import WasmnetCluster
import WasmnetConfiguration
import WasmnetPolicyFile
import WasmnetQuota
import WasmnetText

extension QuotaCommand {
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set limits of one client in place of the policy's, for a time.",
            discussion: """
                Limits set earlier stay, and all end together, after --for. Nodes follow with their next question to Redis. A lower limit \
                ends nothing that is open. Only what the policy limits can be set: of the rest nodes do not ask.
                """)

        @Argument(help: "An address, or t:NAME.") var client: String
        @Option(parsing: .unconditional, help: ArgumentHelp("WebSockets at once.", valueName: "n"))
        var maxSessions: Int?
        @Option(parsing: .unconditional, help: ArgumentHelp("Open sockets at once.", valueName: "n"))
        var maxConnections: Int?
        @Option(parsing: .unconditional, help: ArgumentHelp("Sockets opened or bound a second.", valueName: "n"))
        var connectsPerSec: Double?
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("Sockets at once after a quiet time; twice a second's if not given.", valueName: "n"))
        var connectBurst: Int?
        @Option(parsing: .unconditional, help: ArgumentHelp("Look-ups a second.", valueName: "n"))
        var resolvesPerSec: Double?
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp("Look-ups at once after a quiet time; twice a second's if not given.", valueName: "n"))
        var resolveBurst: Int?
        @Option(parsing: .unconditional, help: ArgumentHelp("Megabits a second, both ways together.", valueName: "n"))
        var maxBandwidthMbps: Double?
        @Option(parsing: .unconditional, help: ArgumentHelp("Bytes a day (UTC), such as 20GiB.", valueName: "n"))
        var bytesPerDay: String?
        @Option(
            name: .customLong("for"), parsing: .unconditional,
            help: ArgumentHelp("How long: 90s, 30m, 24h, 7d.", valueName: "time"))
        var time = TimeSpan(seconds: 86_400)
        @Flag(help: "Take back all that was set: the policy's limits hold again.") var clear = false
        @OptionGroup var redis: RedisArguments
        @OptionGroup var policy: PolicyArguments
        @Flag(help: "Print the account as JSON.") var json = false

        func run() async throws {
            let client = try QuotaCommand.client(self.client)
            guard !(self.clear && self.namesLimit) else {
                throw ConfigurationError("--clear and limits to set exclude each other: clear first, then set")
            }
            let limits = try self.policy.limits()
            let overrides = try self.overrides(limits)
            guard self.clear || !overrides.isEmpty else {
                throw ConfigurationError("give a limit to set, or --clear; \"quota set --help\" lists them")
            }
            let time = try self.time.checked("--for", atMost: .leapYear)
            let report = try await self.redis.withRedis { redis in
                let accounts = ClientAccounts(redis: redis)
                if self.clear {
                    try await accounts.clearOverrides(of: client)
                } else {
                    try await accounts.set(overrides, for: .seconds(time.seconds), of: client)
                }
                return QuotaReport(
                    client: client, account: try await accounts.account(of: client), limits: limits,
                    policy: self.policy,
                    nodes: try await NodeRegistry(redis: redis).nodes().nodes)
            }
            try report.print(json: self.json)
        }

        private var namesLimit: Bool {
            let counts: [Any?] = [self.maxSessions, self.maxConnections, self.connectBurst, self.resolveBurst]
            let rates: [Any?] = [self.connectsPerSec, self.resolvesPerSec, self.maxBandwidthMbps, self.bytesPerDay]
            return (counts + rates).contains { $0 != nil }
        }

        private func overrides(_ limits: QuotaLimits) throws -> QuotaOverrides {
            var overrides = QuotaOverrides()
            var problems: [String] = []
            func check(_ flag: String, _ value: Any, isSound: Bool, _ range: String, isLimited: Bool) {
                let key = ByteText(flag).split(at: "-").map(\.text).joined(separator: "_")
                if !isSound { problems.append("--\(flag) is \(range), not \(value)") }
                if !isLimited {
                    problems.append(
                        "\(self.policy.name) does not limit \(key), so nodes that go by it do not ask for it: "
                            + self.policy.advice)
                }
            }
            func count(_ flag: String, _ value: Int?, _ limit: Int) -> Int? {
                guard let value else { return nil }
                check(flag, value, isSound: QuotaOverrides.counts.contains(value), "1 to 1000000", isLimited: limit > 0)
                return value
            }
            func pace(_ flag: String, _ rate: Double?, _ burst: Int?, _ burstFlag: String, _ limit: Double) -> GCRA
                .Pace?
            {
                if let burst, !QuotaOverrides.counts.contains(burst) {
                    problems.append("--\(burstFlag) is 1 to 1000000, not \(burst)")
                }
                guard let rate else {
                    if burst != nil { problems.append("--\(burstFlag) needs --\(flag)") }
                    return nil
                }
                check(
                    flag, rate, isSound: rate > 0 && rate <= QuotaOverrides.mostPerSecond, "above 0, to 1000000",
                    isLimited: limit > 0)
                return GCRA.Pace(perSecond: rate, burst: burst ?? 0)
            }
            overrides.maxSessions = count("max-sessions", self.maxSessions, limits.maxSessions)
            overrides.maxSockets = count("max-connections", self.maxConnections, limits.maxSockets)
            overrides.connects = pace(
                "connects-per-sec", self.connectsPerSec, self.connectBurst, "connect-burst", limits.connectsPerSecond)
            overrides.resolves = pace(
                "resolves-per-sec", self.resolvesPerSec, self.resolveBurst, "resolve-burst", limits.resolvesPerSecond)
            if let rate = self.maxBandwidthMbps {
                check(
                    "max-bandwidth-mbps", rate,
                    isSound: rate > 0 && rate * 125_000 <= QuotaOverrides.mostBytesPerSecond,
                    "above 0, to 1000000", isLimited: limits.bytesPerSecond > 0)
                overrides.bandwidth = TokenBucket.Rate(bytesPerSecond: rate * 125_000, burst: 0)
            }
            if let text = self.bytesPerDay {
                let bytes = ByteCount.parse(text) ?? 0
                check(
                    "bytes-per-day", "\"\(text.shown())\"", isSound: QuotaOverrides.bytesPerDayRange.contains(bytes),
                    "a number of bytes, or text such as 20GiB or 500MB, up to 8192TiB",
                    isLimited: limits.bytesPerDay > 0)
                overrides.bytesPerDay = bytes
            }
            guard problems.isEmpty else { throw ConfigurationError(problems.joined(separator: "\n")) }
            return overrides
        }
    }
}
