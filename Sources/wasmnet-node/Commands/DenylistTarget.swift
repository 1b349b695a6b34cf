import ArgumentParser
import Foundation
import Wasmnet
import WasmnetCluster
import WasmnetPolicy
import WasmnetNet

/// The location of the list that a command works on: the flags, and the client for them.
struct DenylistTarget: ParsableArguments {
    @OptionGroup var redis: RedisArguments

    @Option(
        help: ArgumentHelp(
            "The admin server of a node, for the list of a node without Redis: http://127.0.0.1:9100.",
            valueName: "url"))
    var admin: String?

    @OptionGroup var adminToken: AdminTokenArguments

    func open<Answer: Sendable>(
        _ work: @escaping @Sendable (any DenylistClient) async throws -> Answer
    ) async throws -> Answer {
        guard let admin = self.admin else {
            guard self.redis.options(environment: ProcessInfo.processInfo.environment) != nil else {
                throw ConfigurationError(
                    "name the cluster's Redis by --redis or WASMNET_REDIS, or a node's admin server by --admin")
            }
            return try await self.redis.withRedis {
                try await work(RedisDenylistClient(store: RedisDenylistStore(redis: $0)))
            }
        }
        let token = try self.adminToken.token(environment: ProcessInfo.processInfo.environment)
        guard let url = URL(string: admin), ["http", "https"].contains(url.scheme), url.host != nil else {
            throw ConfigurationError("--admin is a URL such as http://127.0.0.1:9100, not \"\(admin)\"")
        }
        let base = ByteText(admin).dropping(suffix: "/")?.text ?? admin
        return try await AdminHTTP.with { try await work(AdminDenylistClient(base: base, token: token, http: $0)) }
    }
}

/// The result of a change.
struct DenylistSummary {
    var changed: Int
    var version: Int64

    var text: String {
        "\(self.changed) \(self.changed == 1 ? "entry" : "entries") changed; the list is at version \(self.version)"
    }
}

/// Access to a denylist.
protocol DenylistClient: Sendable {
    /// Sorted by their texts.
    func entries() async throws -> [DenylistEntry]
    func change(_ changes: [DenylistChange]) async throws -> DenylistSummary
    func load(_ entries: [DenylistEntry], replaces: Bool) async throws -> DenylistSummary
}

/// The cluster's list.
struct RedisDenylistClient: DenylistClient {
    let store: RedisDenylistStore

    func entries() async throws -> [DenylistEntry] { try await self.store.read().sorted() }

    func change(_ changes: [DenylistChange]) async throws -> DenylistSummary {
        try Self.summary(try await self.store.write(changes))
    }

    func load(_ entries: [DenylistEntry], replaces: Bool) async throws -> DenylistSummary {
        try Self.summary(try await self.store.load(entries, replaces: replaces))
    }

    private static func summary(_ receipt: DenylistReceipt) throws -> DenylistSummary {
        guard !receipt.outcomes.contains(.full) else {
            throw ConfigurationError(
                "the denylist is full, with \(DenylistReplica.maxEntries) entries; the last ones were not added"
            )
        }
        return DenylistSummary(
            changed: receipt.outcomes.count { [.added, .updated, .removed].contains($0) }, version: receipt.version)
    }
}
