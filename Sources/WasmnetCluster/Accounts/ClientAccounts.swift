import NIOCore
package import RedisClient
package import WasmnetQuota
import WasmnetNet

/// The clients' accounts in Redis, for operators: usage, limits set for one client, and resets.
package struct ClientAccounts: Sendable {
    private static let deadline = TimeAmount.seconds(5)
    private let redis: RedisClient

    package init(redis: RedisClient) {
        self.redis = redis
    }

    /// What was counted. An unknown client has used nothing.
    package func account(of client: ClientID) async throws(RedisError) -> ClientAccount {
        let now = try await self.redis.serverTime(deadline: Self.deadline)
        let commands: [RedisCommand] = [
            [
                "ZRANGEBYSCORE", .string(RedisKeys.epochs(RedisKeys.bucket(of: client))),
                .string("(\(now.microseconds)"), "+inf",
            ],
            ["HGETALL", .string(RedisKeys.leases(.session, of: client))],
            ["HGETALL", .string(RedisKeys.leases(.socket, of: client))],
            ["GET", .string(RedisKeys.requests(.connect, of: client))],
            ["GET", .string(RedisKeys.requests(.resolve, of: client))],
            ["GET", .string(RedisKeys.bandwidth(of: client))],
            ["HMGET", .string(RedisKeys.day(of: client)), "day", "used"],
            ["HGETALL", .string(RedisKeys.overrides(of: client))],
            ["PTTL", .string(RedisKeys.overrides(of: client))],
        ]
        var replies: [RESPValue] = []
        for reply in await self.redis.pipeline(commands, deadline: Self.deadline) { replies.append(try reply.get()) }
        return Self.read(replies, now: now)
    }

    /// Overrides the policy's limits; overrides set earlier stay, and all expire after `time`.
    ///
    /// Nodes apply them from their next query for the client, and only to what their policy limits at all. What is open
    /// stays open.
    ///
    /// - Parameter time: up to ``QuotaOverrides/longestTime``.
    package func set(
        _ overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID
    ) async throws(RedisError) {
        let time = min(max(time.microseconds, 1), QuotaOverrides.longestTime.microseconds)
        let fields = overrides.fields.flatMap { [RedisArgument.string($0.0), .integer($0.1)] }
        guard !fields.isEmpty else { return }
        _ = try await self.override(client, [.integer(time)] + fields)
    }

    /// Removes the overrides: the policy's limits apply again.
    ///
    /// - Returns: whether there were any, even unreadable ones.
    @discardableResult
    package func clearOverrides(of client: ClientID) async throws(RedisError) -> Bool {
        try await self.override(client, [0]) > 0
    }

    /// Clears the usage of rates, of the bandwidth and of the day. Open sockets and sessions stay and remain counted.
    package func reset(_ client: ClientID) async throws(RedisError) {
        _ = try await self.redis.send(
            [
                "DEL", .string(RedisKeys.requests(.connect, of: client)),
                .string(RedisKeys.requests(.resolve, of: client)), .string(RedisKeys.bandwidth(of: client)),
                .string(RedisKeys.day(of: client)),
            ], deadline: Self.deadline)
    }

    private func override(_ client: ClientID, _ arguments: [RedisArgument]) async throws(RedisError) -> Int64 {
        let reply = try await self.redis.evaluate(
            ClusterScripts.override, keys: [.string(RedisKeys.overrides(of: client))], arguments: [0] + arguments,
            deadline: Self.deadline)
        return reply.int64 ?? 0
    }

    // MARK: Reading

    private static func read(_ replies: [RESPValue], now: QuotaInstant) -> ClientAccount {
        let epochs = Set(replies[0].array?.compactMap(\.string) ?? [])
        var holdings: [String: ClientAccount.Holding] = [:]
        for (index, slots) in [(1, \ClientAccount.Holding.sessions), (2, \.sockets)] {
            for (epoch, lease) in replies[index].fields where epochs.contains(epoch) {
                let node = ClusterSettings.node(ofEpoch: epoch)
                let count = ByteText(lease).words.last.flatMap { Int($0.text) } ?? 0
                // Even if Redis returns bad data, sums over all nodes fit.
                holdings[node, default: .init(node: node)][keyPath: slots] += min(max(count, 0), 1 << 32)
            }
        }
        let today = now.microseconds / Self.day
        let day = replies[6].array?.map { $0.int64 } ?? []
        let used = day.count == 2 && day[0] == today ? day[1] ?? 0 : 0
        let timeToLive = replies[8].int64 ?? -1
        return ClientAccount(
            now: now,
            holdings: holdings.values.filter { $0.sessions + $0.sockets > 0 }.sorted { $0.node < $1.node },
            connects: GCRA(theoreticalArrival: replies[3].int64 ?? 0),
            resolves: GCRA(theoreticalArrival: replies[4].int64 ?? 0),
            bandwidth: replies[5].string.flatMap(Self.bucket), dayBytes: UInt64(max(used, 0)),
            dayEnds: QuotaInstant(microseconds: (today + 1) * Self.day),
            overrides: QuotaOverrides(fields: replies[7].fields),
            overridesEnd: timeToLive > 0 ? now + .milliseconds(timeToLive) : nil)
    }

    private static let day: Int64 = 86_400_000_000

    private static func bucket(_ text: String) -> TokenBucket? {
        let parts = ByteText(text).words.compactMap { Int64($0.text) }
        guard parts.count == 2 else { return nil }
        return TokenBucket(level: parts[0], refilledAt: QuotaInstant(microseconds: parts[1]))
    }
}

extension RESPValue {
    /// A hash: alternating names and values.
    var fields: [String: String] {
        let words = self.array?.map { $0.string ?? "" } ?? []
        var fields: [String: String] = [:]
        for index in stride(from: 0, to: words.count - 1, by: 2) { fields[words[index]] = words[index + 1] }
        return fields
    }
}

extension RedisClient {
    /// The server's clock.
    func serverTime(deadline: TimeAmount) async throws(RedisError) -> QuotaInstant {
        let time = try await self.send(["TIME"], deadline: deadline).array?.compactMap {
            $0.string.flatMap(Int64.init)
        }
        guard let time, time.count == 2, (0...1 << 40).contains(time[0]), (0..<1_000_000).contains(time[1]) else {
            throw .unavailable("TIME answered with something other than two numbers")
        }
        return QuotaInstant(microseconds: time[0] * 1_000_000 + time[1])
    }
}
