import NIOCore
package import RedisClient

/// Whether the Redis user may run what the scripts run: without all of it, some would fail permanently.
package enum RedisRights {
    /// - Returns: the commands that are refused, such as `HGET`; empty if there are none.
    package static func missing(redis: RedisClient) async throws(RedisError) -> [String] {
        // The caller's clock, since TIME may be what is missing.
        let reply = try await redis.evaluate(
            ClusterScripts.rights, keys: [.string(RedisKeys.rights)], arguments: [1], deadline: .seconds(10))
        return reply.array?.compactMap(\.string) ?? []
    }
}
