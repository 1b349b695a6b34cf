package import NIOCore
package import RedisClient
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
    ///   - most: entries the list may have.
    ///   - logLength: changes that Redis keeps, about.
    ///   - clock: nil: Redis' own decides what is over. Another is for tests.
    package init(
        redis: RedisClient, deadline: TimeAmount = .seconds(5), most: Int = DenylistBook.mostEntries,
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
                let receipt = try await self.run(piece, hold: !rest.isEmpty, clears: clears)
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

    /// Takes entries out whose time is over. Nothing else depends on it: they do not hold any more.
    @discardableResult
    package func sweep() async throws(DenylistStoreError) -> DenylistReceipt { try await self.write([]) }

    package func read() async throws(DenylistStoreError) -> Denylist {
        do throws(RedisError) {
            return try await DenylistReader(redis: self.redis, deadline: self.deadline).snapshot()?.list ?? .empty
        } catch {
            throw DenylistStoreError(made: 0, mayPass: error.mayPass, description: "\(error)")
        }
    }

    private func run(
        _ changes: ArraySlice<DenylistChange>, hold: Bool, clears: Bool
    ) async throws(RedisError) -> DenylistReceipt {
        let keys = [
            RedisKeys.denylist, RedisKeys.denylistEntries, RedisKeys.denylistExpiries, RedisKeys.denylistLog,
        ]
        let settings: [RedisArgument] = [
            .integer(self.clock.map { $0().milliseconds &* 1000 } ?? 0),
            RedisArgument((hold ? 1 : 0) + (clears ? 2 : 0)), RedisArgument(self.logLength),
            RedisArgument(self.most), RedisArgument(DenylistBook.mostSwept), .string(RedisKeys.denylistChannel),
        ]
        let reply = try await self.redis.evaluate(
            ClusterScripts.denylistWrite, keys: keys.map { .string($0) },
            arguments: settings + changes.flatMap(DenylistWire.words), deadline: self.deadline)
        let numbers = reply.array?.compactMap(\.int64) ?? []
        let outcomes = numbers.dropFirst(4).compactMap(DenylistOutcome.init(rawValue:))
        guard numbers.count >= 4, numbers.allSatisfy(DenylistWire.numbers.contains), outcomes.count == changes.count
        else {
            throw .unavailable("the denylist's script answered with something else than was agreed")
        }
        return DenylistReceipt(
            generation: numbers[0], version: numbers[1], count: Int(clamping: numbers[3]),
            digest: DenylistDigest(value: numbers[2]), outcomes: outcomes)
    }
}
