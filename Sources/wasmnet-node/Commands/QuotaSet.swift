import ArgumentParser
import Wasmnet
import WasmnetAdmin
import WasmnetPolicyFile
import WasmnetQuota
import WasmnetNet

extension QuotaCommand {
    struct Set: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set limits of one client in place of the policy's, for a time.",
            discussion: """
                Limits set earlier stay, and all end together, after --for. Nodes apply them at their next request to Redis. A lower limit \
                ends nothing that is open. Only limits that the policy has can be set: nodes do not count the others.
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
            help: ArgumentHelp(
                "Sockets at once after a quiet time; twice as many as a second allows if not given.", valueName: "n"))
        var connectBurst: Int?
        @Option(parsing: .unconditional, help: ArgumentHelp("Lookups a second.", valueName: "n"))
        var resolvesPerSec: Double?
        @Option(
            parsing: .unconditional,
            help: ArgumentHelp(
                "Lookups at once after a quiet time; twice as many as a second allows if not given.", valueName: "n"))
        var resolveBurst: Int?
        @Option(
            parsing: .unconditional, help: ArgumentHelp("Megabits a second, both directions together.", valueName: "n"))
        var maxBandwidthMbps: Double?
        @Option(parsing: .unconditional, help: ArgumentHelp("Bytes a day (UTC), such as 20GiB.", valueName: "n"))
        var bytesPerDay: String?
        @Option(
            name: .customLong("for"), parsing: .unconditional,
            help: ArgumentHelp("How long the limits last: 90s, 30m, 24h, 7d.", valueName: "time"))
        var time = TimeSpan(seconds: 86_400)
        @Flag(help: "Remove all limits that were set: the policy's limits apply again.") var clear = false
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
                let store = RedisQuotaStore(redis: redis)
                if self.clear {
                    try await store.clear(client)
                } else {
                    try await store.add(overrides, for: .seconds(time.seconds), of: client)
                }
                return try await store.report(of: client, limits: limits, policy: self.policy.file)
            }
            try report.print(json: self.json)
        }

        private var namesLimit: Bool { !self.request.isEmpty || self.bytesPerDay != nil }

        /// All except the bytes of a day, which are text.
        private var request: QuotaRequest {
            var request = QuotaRequest()
            request.maxSessions = self.maxSessions
            request.maxConnections = self.maxConnections
            request.connectsPerSec = self.connectsPerSec
            request.connectBurst = self.connectBurst
            request.resolvesPerSec = self.resolvesPerSec
            request.resolveBurst = self.resolveBurst
            request.maxBandwidthMbps = self.maxBandwidthMbps
            return request
        }

        private func overrides(_ limits: ClientLimits) throws -> QuotaOverrides {
            var request = self.request
            var problems: [QuotaProblem] = []
            if let text = self.bytesPerDay {
                request.bytesPerDay = ByteCount.parse(text)
                if request.bytesPerDay == nil {
                    let range = "a number of bytes, or text such as 20GiB or 500MB, up to 8192TiB"
                    problems.append(
                        QuotaProblem("bytes_per_day", .outOfRange(range, value: "\"\(text.shown())\"")))
                }
            }
            var overrides = QuotaOverrides()
            do throws(QuotaProblems) {
                overrides = try QuotaOverrides(request, over: limits)
            } catch {
                problems = error.all + problems
            }
            guard problems.isEmpty else {
                throw ConfigurationError(problems.map(self.text).joined(separator: "\n"))
            }
            return overrides
        }

        /// Limits are named like the options.
        private func text(_ problem: QuotaProblem) -> String {
            let text = problem.text(policy: self.policy.name) { key in
                "--" + ByteText(key).split(at: "_").map(\.text).joined(separator: "-")
            }
            return problem.kind == .notLimited ? "\(text): \(self.policy.advice)" : text
        }
    }
}
