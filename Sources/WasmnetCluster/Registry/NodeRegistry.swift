import NIOCore
package import RedisClient
import WasmnetQuota
import WasmnetNet

/// The nodes of a cluster, in Redis. An entry lives for three heartbeats.
package struct NodeRegistry: Sendable {
    /// How often a node registers.
    package static let heartbeat = Duration.seconds(5)
    private static let timeToLive: Int64 = 15_000_000
    /// The most nodes that ``nodes()`` returns.
    private static let most = 10_000

    private let redis: RedisClient
    private let repaired: @Sendable (_ keys: [String], _ removed: Int) -> Void

    /// - Parameter repaired: called when this many of these keys had the wrong type, and were removed.
    package init(redis: RedisClient, repaired: @escaping @Sendable ([String], Int) -> Void = { _, _ in }) {
        self.redis = redis
        self.repaired = repaired
    }

    /// A node's announcement on the denylist's channel.
    package enum Change: Sendable, Equatable {
        case joined(String)
        case left(String)

        /// Nil: it is a message about the denylist.
        init?(_ message: ByteBuffer) {
            let text = ByteText(message.readableBytesView)
            if let id = text.dropping(prefix: "joined ") {
                self = .joined(id.text)
            } else if let id = text.dropping(prefix: "left ") {
                self = .left(id.text)
            } else {
                return nil
            }
        }
    }

    /// Registers a node as alive.
    ///
    /// - Returns: the present nodes, this one included.
    package func register(_ entry: NodeEntry) async throws(RedisError) -> [String] {
        let fields = entry.fields.flatMap { [RedisArgument.string($0.0), .string($0.1)] }
        guard let ids = try await self.run(entry.id, fields).array?.compactMap(\.string), !ids.isEmpty else {
            throw .unavailable("the registry answered with something other than nodes")
        }
        return Array(ids.prefix(Self.most))
    }

    /// Removes a node.
    package func remove(id: String) async throws(RedisError) {
        // The node is about to exit: nothing else waits for this connection.
        _ = try await self.run(id, [], deadline: .seconds(1))
    }

    private func run(
        _ id: String, _ fields: [RedisArgument], deadline: TimeAmount? = nil
    ) async throws(RedisError) -> RESPValue {
        let keys = [RedisKeys.nodes, RedisKeys.node(id)]
        func register() async throws(RedisError) -> RESPValue {
            try await self.redis.evaluate(
                ClusterScripts.register, keys: keys.map { .string($0) },
                arguments: [0, .string(id), .integer(Self.timeToLive), .string(RedisKeys.denylistChannel)] + fields,
                deadline: deadline)
        }
        do {
            return try await register()
        } catch  where error.isOfKeys {
            let reply = try await self.redis.evaluate(
                ClusterScripts.repair, keys: keys.map { .string($0) }, arguments: [0, "zset", "hash"],
                deadline: deadline)
            self.repaired(keys, Int(clamping: reply.array?.first?.int64 ?? 0))
            return try await register()
        }
    }

    /// The nodes seen within their time to live, by name, and the time by Redis' clock in milliseconds since the Unix epoch.
    package func nodes() async throws(RedisError) -> (nodes: [NodeEntry], now: Int64) {
        let now = try await self.redis.serverTime(deadline: .seconds(10)).microseconds
        let oldest = now - Self.timeToLive
        let ids =
            try await self.redis.send(
                [
                    "ZRANGEBYSCORE", .string(RedisKeys.nodes), .integer(oldest), "+inf", "LIMIT", 0,
                    RedisArgument(Self.most),
                ],
                deadline: .seconds(10)
            ).array?.compactMap(\.string) ?? []
        let replies = await self.redis.pipeline(
            ids.map { ["HGETALL", .string(RedisKeys.node($0))] }, deadline: .seconds(5))
        var nodes: [NodeEntry] = []
        for (id, reply) in zip(ids, replies) {
            if let entry = NodeEntry(id: id, fields: try reply.get().fields) { nodes.append(entry) }
        }
        return (nodes.sorted { ($0.name, $0.id) < ($1.name, $1.id) }, now / 1000)
    }
}
