import ArgumentParser
import Foundation
import Wasmnet
import WasmnetAdmin
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetQuota
import WasmnetRelay
import WasmnetNet

struct QuotaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quota", abstract: "Show, set or reset what one client may use in the cluster.",
        discussion: """
            CLIENT is an address (203.0.113.7; an IPv6 address stands for its /64), or t:NAME for a client with a token. In NAME write % as %25; \
            any byte may be written that way.
            """,
        subcommands: [Show.self, Set.self, Reset.self])

    /// The limits used by the nodes: those of their policy.
    struct PolicyArguments: ParsableArguments {
        @Option(
            help: ArgumentHelp(
                "The nodes' policy file. Without it, and without WASMNET_POLICY, the default policy.", valueName: "file"
            ))
        var policy: String?

        @Option(help: ArgumentHelp("The tier that the client's token names.", valueName: "name")) var tier: String?

        /// The file used; nil: the default policy.
        var file: String? {
            let variable = ProcessInfo.processInfo.environment["WASMNET_POLICY"]
            return self.policy ?? variable.flatMap { $0.isEmpty ? nil : $0 }
        }

        /// The name of the policy used, for error messages.
        var name: String {
            guard let file else { return "the default policy (neither --policy nor WASMNET_POLICY names another)" }
            return "the policy \(file)" + (self.tier.map { ", in the tier \"\($0)\"," } ?? "")
        }

        /// Advice for the case that the policy does not limit something.
        var advice: String {
            self.file == nil
                ? "name the nodes' policy by --policy" : "give it a number there, or name the nodes' policy by --policy"
        }

        func limits() throws -> ClientLimits {
            let policy = try self.file.map(PolicyCommand.load) ?? .default
            if let tier = self.tier, !policy.hasTier(tier) {
                throw ConfigurationError("the policy has no tier \"\(tier)\"")
            }
            return policy.limits(tier: self.tier)
        }
    }

    static func client(_ text: String) throws -> ClientID {
        guard let written = ByteText(text).percentDecoded?.validText else {
            throw ConfigurationError("CLIENT \"\(text.shown())\": \(ClientName.percentRule)")
        }
        guard let client = ClientID(written: written) else {
            throw ConfigurationError(
                "CLIENT is an address such as 203.0.113.7, or t:NAME, not \"\(text.shown())\"; \(ClientName.rule)")
        }
        return client
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show what a client uses of each limit, and on which nodes.",
            discussion: """
                Used sessions and connections are what nodes have leased: those that are open, and a few more that a node keeps in \
                reserve.
                """)

        @Argument(help: "An address, or t:NAME.") var client: String
        @OptionGroup var redis: RedisArguments
        @OptionGroup var policy: PolicyArguments
        @Flag(help: "JSON instead of tables.") var json = false

        func run() async throws {
            let client = try QuotaCommand.client(self.client)
            let limits = try self.policy.limits()
            let report = try await self.redis.withRedis {
                try await RedisQuotaStore(redis: $0).report(of: client, limits: limits, policy: self.policy.file)
            }
            try report.print(json: self.json)
        }
    }

    struct Reset: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Reset what a client has used of its rates and of its bytes for the day.",
            discussion: "Open sessions and sockets stay open and count. Limits from quota set stay as well.")

        @Argument(help: "An address, or t:NAME.") var client: String
        @OptionGroup var redis: RedisArguments
        @OptionGroup var policy: PolicyArguments
        @Flag(help: "Print what the client uses after it, as JSON.") var json = false

        func run() async throws {
            let client = try QuotaCommand.client(self.client)
            let limits = self.json ? try self.policy.limits() : nil
            let report = try await self.redis.withRedis { redis -> QuotaReport? in
                let store = RedisQuotaStore(redis: redis)
                try await store.reset(client)
                guard let limits else { return nil }
                return try await store.report(of: client, limits: limits, policy: self.policy.file)
            }
            if let report { return try report.print(json: true) }
            Terminal.say("\(client.commandText): rates, bandwidth and bytes of the day start again from zero")
        }
    }
}
