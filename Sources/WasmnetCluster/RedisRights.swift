import NIOCore
package import RedisClient

/// Whether the user of Redis may do what the scripts do: one that may not do all of it would have a part of them fail for ever.
package enum RedisRights {
    /// - Returns: the commands that are refused, `HGET` among them; empty where all is well.
    package static func missing(redis: RedisClient) async throws(RedisError) -> [String] {
        // A clock of its own, since TIME may be what is missing.
        let reply = try await redis.evaluate(
            ClusterScripts.rights, keys: [.string(RedisKeys.rights)], arguments: [1], deadline: .seconds(10))
        return reply.array?.compactMap(\.string) ?? []
    }
}
