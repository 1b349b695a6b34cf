import Logging
import NIOCore
import RedisClient
import WasmnetNet
import WasmnetPolicy

/// The feed's state, and how each event changes it.
struct DenylistFollower {
    private let reader: DenylistReader
    private let mender: DenylistMender
    private let store: RedisDenylistStore
    private let inForce: ActiveDenylist
    private let logger: Logger
    private var list: Denylist
    private var lineage = DenylistLineage()
    private var expiries: DenylistExpiries
    /// Redis' digest of a list that this program cannot read completely.
    private var trusted: DenylistDigest?
    /// When Redis stopped answering; nil if it answered the last poll.
    private var failedSince: Int64?
    private var hasWarned = false
    /// Whether the loss of the list in Redis was logged.
    private var isLost = false
    private let patience: TimeAmount
    private let isOutage: @Sendable () -> Bool
    /// Whether to poll again soon: another node mends the list, or it is changing.
    private(set) var isWaiting = false

    var hasFailed: Bool { self.failedSince != nil }

    init(
        redis: RedisClient, deadline: TimeAmount, inForce: ActiveDenylist, patience: TimeAmount,
        isOutage: @escaping @Sendable () -> Bool, logger: Logger
    ) {
        self.reader = DenylistReader(redis: redis, deadline: deadline)
        self.mender = DenylistMender(redis: redis, deadline: deadline)
        self.store = RedisDenylistStore(redis: redis, deadline: deadline)
        self.inForce = inForce
        self.patience = patience
        self.isOutage = isOutage
        self.logger = logger
        self.list = inForce.list
        self.expiries = DenylistExpiries(self.list)
    }

    /// A published change: applied if it follows the last one; otherwise a reason to poll.
    mutating func take(_ payload: ByteBuffer) async {
        guard let message = DenylistMessage(payload), message.generation == self.list.generation else {
            await self.ask()
            return
        }
        // The list already included it when it was read.
        if message.to <= self.list.version, self.lineage.knows(message.id), self.inForce.freshness == .current {
            return
        }
        guard let records = message.records, message.from == self.list.version, !message.before.isEmpty,
            message.before == self.lineage.id
        else {
            await self.ask()
            return
        }
        let next = self.list.applying(records, version: message.to)
        guard next.digest == message.digest else {
            await self.ask()
            return
        }
        self.lineage.pass(message.id)
        self.accept(
            next,
            fresh: records.compactMap { record in
                if case .put(let entry) = record { entry } else { nil }
            }, at: MachineClock.uptimeNanoseconds())
    }

    /// Compares with Redis, reads what is missing here, and restores what is missing there.
    mutating func ask() async {
        do throws(RedisError) {
            // Once more after each mend. If others change the list meanwhile, again shortly.
            self.isWaiting = true
            for _ in 0..<4 where self.isWaiting {
                if try await self.look() { break }
            }
            if self.hasWarned { self.logger.notice("the denylist can be read again") }
            (self.failedSince, self.hasWarned) = (nil, false)
        } catch {
            self.isWaiting = false
            let now = MachineClock.uptimeNanoseconds()
            let since = self.failedSince ?? now
            self.failedSince = since
            _ = self.inForce.report(.unreachable("\(error)"))
            // An unreachable Redis is an outage of everything, which is logged once for all.
            let isOwnFault = !error.mayPass || (now - since >= self.patience.nanoseconds && !self.isOutage())
            guard isOwnFault, !self.hasWarned else { return }
            self.hasWarned = true
            self.logger.warning(
                "the denylist cannot be read; the last one stays in force",
                metadata: ["reason": "\(error)", "entries": "\(self.list.count)"])
        }
    }

    /// - Returns: whether there is nothing more to do at the moment.
    private mutating func look() async throws(RedisError) -> Bool {
        var sentLast = MachineClock.uptimeNanoseconds()
        let progress = try await self.reader.progress(from: self.list, id: self.lineage.id, trusts: self.trusted) {
            poll, sent in
            sentLast = sent
            self.inForce.set(DenylistClock(time: poll.time, sent: sent))
        }
        switch progress {
        case .current(let list, let fresh, let poll):
            self.isWaiting = false
            if list.digest != poll.digest, self.trusted != poll.digest {
                self.logger.warning(
                    "some entries of the denylist cannot be read by this version; the others are in force")
            }
            self.trusted = list.digest == poll.digest ? nil : poll.digest
            if !self.lineage.knows(poll.id) {
                self.lineage.remember(try await self.reader.ids(after: self.lineage.knows))
            }
            self.lineage.pass(poll.id)
            self.accept(list, fresh: fresh, at: sentLast)
            // Written by an earlier version: an empty write gives the list's version an id.
            if !poll.hasOwnID, (try? await self.store.sweep()) != nil { self.isWaiting = true }
            return !self.isWaiting
        case .none where self.list.generation == 0, .building where self.list.generation == 0:
            // Nothing was ever written, or nothing is known.
            self.isWaiting = false
            self.accept(.empty, fresh: [], at: sentLast)
            return true
        case .none: return try await self.mend(over: nil)
        case .unknown(let poll): return try await self.mend(over: poll)
        case .building:
            self.isWaiting = false
            _ = self.inForce.report(.missing)
            return true
        }
    }

    /// Restores the list in force if Redis does not know it.
    private mutating func mend(over poll: DenylistPoll?) async throws(RedisError) -> Bool {
        _ = self.inForce.report(.missing)
        guard let mend = DenylistMend(of: self.list, self.lineage, over: poll) else {
            self.isWaiting = false
            return true
        }
        if !self.isLost {
            self.isLost = true
            self.logger.warning(
                "Redis does not have the denylist that is in force; it stays in force",
                metadata: ["entries": "\(self.list.count)", "version": "\(self.list.version)"])
        }
        switch try await self.mender.mend(mend, self.list, self.lineage, over: poll) {
        case .busy: return true
        case .overtaken: return false
        case .done:
            self.inForce.count(mend)
            self.report(mend)
            return false
        }
    }

    private func report(_ mend: DenylistMend) {
        let metadata: Logger.Metadata = ["entries": "\(self.list.count)", "version": "\(self.list.version)"]
        switch mend {
        case .writtenBack: self.logger.warning("wrote the denylist back that Redis had lost", metadata: metadata)
        case .joined:
            self.logger.warning(
                """
                Redis had another denylist: its entries and those that were in force are one list now; an entry that was removed \
                meanwhile may be back: check the list with wasmnet-node denylist list
                """, metadata: metadata)
        case .replaced: self.logger.notice("a new denylist replaces the one that Redis had lost", metadata: metadata)
        }
    }

    /// Removes expired entries from Redis, for all nodes.
    mutating func sweep() async {
        guard self.list.generation != 0, let next = self.nextSweep(), next <= self.inForce.now else { return }
        var last = self.list.version
        while let receipt = try? await self.store.sweep(), receipt.version - last >= DenylistReplica.maxSwept {
            last = receipt.version
        }
        await self.ask()
    }

    /// When the next entry is due for removal.
    mutating func nextSweep() -> UnixTime? { self.hasFailed ? nil : self.expiries.next(in: self.list) }

    private mutating func accept(_ list: Denylist, fresh: [DenylistEntry]?, at time: Int64) {
        self.list = list
        self.isLost = false
        if let fresh {
            for entry in fresh { self.expiries.expect(entry, in: list) }
        } else {
            self.expiries = DenylistExpiries(list)
            self.logger.info(
                "read the denylist", metadata: ["entries": "\(list.count)", "version": "\(list.version)"])
        }
        self.inForce.install(list, fresh: fresh, confirmed: time)
    }
}
