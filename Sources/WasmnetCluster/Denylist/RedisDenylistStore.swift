package import NIOCore
package import RedisClient
package import WasmnetNet
package import WasmnetPolicy

/// The denylist in Redis: every change is one run of a script that writes the entries and the log and publishes the change.
package struct RedisDenylistStore: DenylistStore {
    private let redis: RedisClient
    private let deadline: TimeAmount
    private let most: Int
    private let logLength: Int
    private let clock: (@Sendable () -> UnixTime)?

    /// - Parameters:
    ///   - deadline: time for each run of a script and each page. Default 5 s.
    ///   - most: the list's maximum number of entries.
    ///   - logLength: changes that Redis keeps, approximately.
    ///   - clock: nil: Redis' own decides what has expired. Another is for tests.
    package init(
        redis: RedisClient, deadline: TimeAmount = .seconds(5), most: Int = DenylistReplica.maxEntries,
        logLength: Int = DenylistLimits.log, clock: (@Sendable () -> UnixTime)? = nil
    ) {
        self.redis = redis
        self.deadline = deadline
        self.most = most
        self.logLength = logLength
        self.clock = clock
    }

    package func write(
        _ changes: [DenylistChange], replaces: Bool = false
    ) async throws(DenylistStoreError) -> DenylistReceipt {
        var rest = changes[...]
        var outcomes: [DenylistOutcome] = []
        var clears = replaces
        while true {
            let piece = rest.prefix(DenylistLimits.piece)
            rest = rest.dropFirst(piece.count)
            do throws(RedisError) {
                let receipt = try await self.run(
                    piece, flags: (rest.isEmpty ? 0 : Self.hold) + (clears ? Self.clears : 0)
                ).receipt
                outcomes += receipt.outcomes
                guard rest.isEmpty else {
                    clears = false
                    continue
                }
                var whole = receipt
                whole.outcomes = outcomes
                return whole
            } catch {
                throw DenylistStoreError(made: outcomes.count, mayPass: error.mayPass, description: "\(error)")
            }
        }
    }

    /// Removes expired entries. Nothing else depends on it: they no longer apply.
    @discardableResult
    package func sweep() async throws(DenylistStoreError) -> DenylistReceipt { try await self.write([]) }

    package func read() async throws(DenylistStoreError) -> Denylist {
        do throws(RedisError) {
            return try await DenylistReader(redis: self.redis, deadline: self.deadline).snapshot()?.list ?? .empty
        } catch {
            throw DenylistStoreError(made: 0, mayPass: error.mayPass, description: "\(error)")
        }
    }

    /// Adds one piece of a node's entries to a list that has passed through a version.
    ///
    /// - Parameters:
    ///   - hold: whether more pieces follow.
    ///   - id: of that version; empty: of any.
    ///   - version: the list's version is above this afterwards, if ids are given.
    ///   - ids: of versions that the list has passed through with this piece.
    /// - Returns: nil if it has not, and nothing was done.
    func join(
        _ changes: ArraySlice<DenylistChange>, hold: Bool, after id: String, above version: Int64, _ ids: [String]
    ) async throws(RedisError) -> (receipt: DenylistReceipt, id: String)? {
        let made = try await self.run(
            changes, flags: Self.joins + (hold ? Self.hold : 0), after: id, above: version, ids)
        return made.receipt.generation == 0 ? nil : made
    }

    private static let (hold, clears, joins) = (1, 2, 4)

    private func run(
        _ changes: ArraySlice<DenylistChange>, flags: Int, after id: String = "", above version: Int64 = 0,
        _ ids: [String] = []
    ) async throws(RedisError) -> (receipt: DenylistReceipt, id: String) {
        let keys = [
            RedisKeys.denylist, RedisKeys.denylistEntries, RedisKeys.denylistExpiries, RedisKeys.denylistLog,
            RedisKeys.denylistIDs,
        ]
        let settings: [RedisArgument] = [
            .integer(self.clock.map { $0().milliseconds &* 1000 } ?? 0), RedisArgument(flags),
            RedisArgument(self.logLength), RedisArgument(self.most), RedisArgument(DenylistReplica.maxSwept),
            .string(RedisKeys.denylistChannel), .string(DenylistLineage.random()), RedisArgument(DenylistLimits.ids),
            .string(id), .integer(version), RedisArgument(ids.count),
        ]
        let reply = try await self.redis.evaluate(
            ClusterScripts.denylistWrite, keys: keys.map { .string($0) },
            arguments: settings + ids.map { .string($0) } + changes.flatMap { DenylistWire.words($0) },
            deadline: self.deadline)
        let parts = reply.array ?? []
        let numbers = parts.prefix(4).compactMap(\.int64)
        let outcomes = parts.dropFirst(5).compactMap { $0.int64.flatMap(DenylistOutcome.init(rawValue:)) }
        guard numbers.count == 4, numbers.allSatisfy(DenylistWire.numbers.contains), parts.count > 4,
            let made = parts[4].string, outcomes.count == changes.count || numbers[0] == 0
        else {
            throw .unavailable("the denylist's script answered with something other than was agreed")
        }
        let receipt = DenylistReceipt(
            generation: numbers[0], version: numbers[1], count: Int(clamping: numbers[3]),
            digest: DenylistDigest(value: numbers[2]), outcomes: outcomes)
        return (receipt, DenylistLineage.id(made))
    }
}
