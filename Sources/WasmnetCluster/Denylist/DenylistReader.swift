import WasmnetNet
import NIOCore
import RedisClient
import WasmnetPolicy

/// Reads the list from Redis, whole or by its changes, so that it matches exactly one version.
struct DenylistReader: Sendable {
    let redis: RedisClient
    /// For each run of the script and each page.
    let deadline: TimeAmount

    /// How often a snapshot is restarted because the list changed too fast, or its digest does not match Redis'.
    private static let maxAttempts = 5
    private static let maxMisses = 2

    enum Progress {
        /// Redis has no list.
        case none
        /// It has one that is not complete yet and has passed through the known one.
        case building
        /// It has one that has not passed through the known one.
        case unknown(DenylistPoll)
        /// The list at Redis' version. `fresh`: entries added since, nil for possibly all.
        case current(Denylist, fresh: [DenylistEntry]?, DenylistPoll)
    }

    /// Redis' present list, starting from a known one: by the log where that reaches back far enough, else by a snapshot.
    ///
    /// - Parameters:
    ///   - id: of the known version.
    ///   - trusts: a digest for which the known list counts as Redis' despite having another digest.
    ///   - heard: called with each answer, and when it was asked for, in monotonic nanoseconds.
    func progress(
        from known: Denylist, id: String, trusts: DenylistDigest?, heard: (DenylistPoll, _ sent: Int64) -> Void
    ) async throws(RedisError) -> Progress {
        var list = known
        var fresh: [DenylistEntry] = []
        while true {
            let sent = MachineClock.uptimeNanoseconds()
            let poll = try await DenylistPoll.ask(
                self.redis, generation: list.generation, version: list.version, id: id, deadline: self.deadline)
            heard(poll, sent)
            if poll.status == .unknown { return .unknown(poll) }
            if poll.isBuilding { return .building }
            switch poll.status {
            case .none: return .none
            case .unknown, .trimmed: break
            case .same:
                if poll.digest == list.digest || poll.digest == trusts {
                    return .current(list, fresh: fresh, poll)
                }
            case .records:
                let records = poll.records.compactMap { $0 }
                list = list.applying(records, version: list.version + Int64(poll.records.count))
                for case .put(let entry) in records { fresh.append(entry) }
                guard list.version >= poll.version else { continue }
                if poll.digest == list.digest { return .current(list, fresh: fresh, poll) }
            }
            guard let (list, poll) = try await self.snapshot() else { return .none }
            return .current(list, fresh: nil, poll)
        }
    }

    /// The ids of the versions that Redis' list has passed through, oldest first, from the last known one on.
    func ids(after knows: (String) -> Bool) async throws(RedisError) -> [String] {
        var ids: [String] = []
        while true {
            let command: RedisCommand = [
                "ZREVRANGE", .string(RedisKeys.denylistIDs), RedisArgument(ids.count),
                RedisArgument(ids.count + DenylistLimits.page - 1),
            ]
            let page = (try await self.redis.send(command, deadline: self.deadline).array ?? []).compactMap(\.string)
            ids += page.map { DenylistLineage.id($0) }
            guard page.count == DenylistLimits.page, ids.count < DenylistLimits.ids, !ids.contains(where: knows) else {
                return ids.reversed()
            }
        }
    }

    /// The whole list, and what Redis reports about it.
    ///
    /// Pages by HSCAN, which returns every field that stays throughout (and may return others, or duplicates); then the log from the
    /// version before the first page, whose records carry the resulting state, brings it to the log's last version.
    ///
    /// - Returns: nil where there is none.
    func snapshot() async throws(RedisError) -> (list: Denylist, poll: DenylistPoll)? {
        var last: (list: Denylist, poll: DenylistPoll)?
        var misses = 0
        for _ in 0..<Self.maxAttempts {
            let start = try await DenylistPoll.ask(self.redis, generation: 0, version: 0, deadline: self.deadline)
            guard start.status != .none, !start.isBuilding else { return nil }
            var builder = DenylistBuilder()
            try await self.scan(into: &builder)
            guard let end = try await self.follow(&builder, from: start) else { continue }
            let list = builder.list(generation: end.generation, version: end.version)
            last = (list, end)
            if end.digest == list.digest { break }
            misses += 1
            if misses == Self.maxMisses { break }
        }
        // The digest never matches: this version of the program cannot read some entries. The others apply.
        guard let last else { throw .unavailable("the denylist changes faster than it can be read") }
        return last
    }

    private func scan(into builder: inout DenylistBuilder) async throws(RedisError) {
        var cursor = "0"
        repeat {
            let command: RedisCommand = [
                "HSCAN", .string(RedisKeys.denylistEntries), .string(cursor), "COUNT",
                RedisArgument(DenylistLimits.page),
            ]
            let reply = try await self.redis.send(command, deadline: self.deadline).array ?? []
            guard reply.count == 2, let next = reply[0].string, let words = reply[1].array else {
                throw .unavailable("HSCAN answered with something other than a cursor and a page")
            }
            for index in stride(from: 0, to: words.count - 1, by: 2) {
                guard let field = words[index].string, let value = words[index + 1].string,
                    let entry = DenylistWire.entry(field, value)
                else { continue }
                builder.apply(.put(entry))
            }
            cursor = next
        } while cursor != "0"
    }

    /// Applies the changes logged since the paging began.
    ///
    /// - Returns: nil where the log does not reach back far enough, or another list has begun.
    private func follow(
        _ builder: inout DenylistBuilder, from start: DenylistPoll
    ) async throws(RedisError) -> DenylistPoll? {
        var version = start.version
        while true {
            let poll = try await DenylistPoll.ask(
                self.redis, generation: start.generation, version: version, id: start.id, deadline: self.deadline)
            if poll.isBuilding { return nil }
            switch poll.status {
            case .none, .trimmed, .unknown: return nil
            case .same: return poll
            case .records:
                for case .some(let record) in poll.records { builder.apply(record) }
                version += Int64(poll.records.count)
                if version >= poll.version { return poll }
            }
        }
    }
}
