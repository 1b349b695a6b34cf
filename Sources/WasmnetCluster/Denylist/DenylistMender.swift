import NIOCore
import RedisClient
import WasmnetPolicy

/// Restores a node's list to a Redis that does not know it, one node at a time: the others then find it done.
struct DenylistMender: Sendable {
    let redis: RedisClient
    let deadline: TimeAmount
    private let writer = DenylistLineage.random()

    init(redis: RedisClient, deadline: TimeAmount) {
        self.redis = redis
        self.deadline = deadline
    }

    enum Outcome {
        case done
        /// Redis has another list by now.
        case overtaken
        /// Another node is doing it.
        case busy
    }

    /// - Parameter poll: the list that Redis has; nil: none.
    func mend(
        _ mend: DenylistMend, _ list: Denylist, _ lineage: DenylistLineage, over poll: DenylistPoll?
    ) async throws(RedisError) -> Outcome {
        guard try await self.claim() else { return .busy }
        let isDone =
            switch mend {
            case .writtenBack: try await self.writeBack(list, lineage, over: poll)
            case .joined: try await self.join(Array(list.entries), list, lineage, poll)
            case .replaced: try await self.join([], list, lineage, poll)
            }
        _ = try? await self.redis.send(["DEL", .string(RedisKeys.denylistMender)], deadline: self.deadline)
        return isDone ? .done : .overtaken
    }

    private static let time = RedisArgument(Int(DenylistLimits.mending / .milliseconds(1)))

    private func claim() async throws(RedisError) -> Bool {
        let key = RedisArgument.string(RedisKeys.denylistMender)
        let claim: RedisCommand = ["SET", key, .string(self.writer), "NX", "PX", Self.time]
        if try await self.redis.send(claim, deadline: self.deadline).string == "OK" { return true }
        return try await self.redis.send(["GET", key], deadline: self.deadline).string == self.writer
    }

    /// Between two pieces.
    private func keepClaim() async throws(RedisError) {
        _ = try await self.redis.send(
            ["PEXPIRE", .string(RedisKeys.denylistMender), Self.time], deadline: self.deadline)
    }

    private func writeBack(
        _ list: Denylist, _ lineage: DenylistLineage, over poll: DenylistPoll?
    ) async throws(RedisError) -> Bool {
        let keys = [
            RedisKeys.denylist, RedisKeys.denylistEntries, RedisKeys.denylistExpiries, RedisKeys.denylistLog,
            RedisKeys.denylistIDs, RedisKeys.denylistPieces, RedisKeys.denylistPieceEntries,
            RedisKeys.denylistPieceExpiries,
        ]
        let id = lineage.id.isEmpty ? "\(list.version)-\(DenylistLineage.random())" : lineage.id
        var rest = Array(list.entries)[...]
        var written = 0
        while true {
            let piece = rest.prefix(DenylistLimits.piece)
            rest = rest.dropFirst(piece.count)
            let ids = rest.isEmpty ? lineage.latest.filter { $0 != id } + [id] : []
            let settings: [RedisArgument] = [
                0, .string(poll?.text ?? ""), .string(self.writer), RedisArgument(written),
                .string(RedisKeys.denylistChannel), RedisArgument(DenylistLimits.ids), rest.isEmpty ? 1 : 0,
                .integer(list.generation), .integer(list.version), .integer(list.digest.value), .string(id),
                RedisArgument(ids.count),
            ]
            let reply = try await self.redis.evaluate(
                ClusterScripts.denylistRestore, keys: keys.map { .string($0) },
                arguments: settings + ids.map { .string($0) } + piece.flatMap { DenylistWire.words($0) },
                deadline: self.deadline)
            guard reply.int64 != 0 else { return false }
            guard !rest.isEmpty else { return true }
            written += piece.count
            try await self.keepClaim()
        }
    }

    /// Adds entries to the list in Redis, which then counts as descended from the one in force.
    private func join(
        _ entries: [DenylistEntry], _ list: Denylist, _ lineage: DenylistLineage, _ poll: DenylistPoll?
    ) async throws(RedisError) -> Bool {
        let store = RedisDenylistStore(redis: self.redis, deadline: self.deadline)
        var rest = entries[...]
        var id = poll?.id ?? ""
        while true {
            let piece = rest.prefix(DenylistLimits.piece)
            rest = rest.dropFirst(piece.count)
            let ids = rest.isEmpty ? Array(lineage.latest) : []
            let changes = piece.map(DenylistChange.init(adding:))
            guard
                let made = try await store.join(changes[...], hold: !rest.isEmpty, after: id, above: list.version, ids)
            else { return false }
            guard !made.receipt.outcomes.contains(.full) else {
                throw .unavailable("the denylist is full: it does not have all entries that are in force here")
            }
            guard !rest.isEmpty else { return true }
            id = made.id
            try await self.keepClaim()
        }
    }
}
