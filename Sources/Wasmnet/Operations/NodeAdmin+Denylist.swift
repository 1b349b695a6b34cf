import NIOCore
import WasmnetAdmin
import WasmnetCluster
import WasmnetNet
import WasmnetPolicy

extension NodeAdmin {
    private var keeper: DenylistService { self.server.denylist }

    func denylist(_ window: PageWindow) async throws -> DenylistReport {
        let view = self.keeper.inForce.view
        let list = view.list
        let entries = list.sorted().filter { $0.holds(at: view.now) }
            .map { WasmnetAdmin.DenylistEntry($0, now: view.now) }
        let page = Page(of: entries, window: window, key: \.entry)
        let age = self.keeper.inForce.age.map { Double($0.nanoseconds) / 1e9 } ?? 0
        return DenylistReport(version: UInt64(max(0, list.version)), size: entries.count, ageSeconds: age, page: page)
    }

    func addToDenylist(_ additions: [DenylistAddition]) async throws -> WasmnetAdmin.DenylistChange {
        let changes = try additions.map { addition in
            let expiry: DenylistExpiry =
                addition.timeToLive.map { .after(milliseconds: max(1, Int64($0 / .milliseconds(1)))) } ?? .never
            return WasmnetPolicy.DenylistChange.add(
                try Self.subject(addition.entry), expiry, reason: try addition.reason.flatMap(Self.reason))
        }
        return try await self.write(changes)
    }

    func removeFromDenylist(_ entries: [String]) async throws -> WasmnetAdmin.DenylistChange {
        try await self.write(try entries.map { .remove(try Self.subject($0)) })
    }

    private func write(_ changes: [WasmnetPolicy.DenylistChange]) async throws -> WasmnetAdmin.DenylistChange {
        do {
            let receipt = try await self.keeper.store.write(changes, replaces: false)
            guard !receipt.outcomes.contains(.full) else {
                throw AdminError.unprocessable("denylist_full", "the denylist is full")
            }
            let changed = receipt.outcomes.count { [.added, .updated, .removed].contains($0) }
            return WasmnetAdmin.DenylistChange(version: UInt64(max(0, receipt.version)), changed: changed)
        } catch let error as DenylistStoreError {
            throw AdminError.unavailable(
                "redis_unavailable", "the denylist cannot be changed now; at least \(error.made) changes were made")
        }
    }

    private static func subject(_ text: String) throws(AdminError) -> DenylistSubject {
        do {
            return try DenylistSubject(text)
        } catch {
            throw .unprocessable("bad_entry", "\"\(text)\": \(error.description)")
        }
    }

    private static func reason(_ text: String) throws(AdminError) -> DenylistReason? {
        do throws(DenylistError) {
            return try DenylistReason(text)
        } catch {
            throw .unprocessable("bad_reason", error.description)
        }
    }
}

extension WasmnetAdmin.DenylistEntry {
    init(_ entry: WasmnetPolicy.DenylistEntry, now: UnixTime) {
        self.init(
            entry: entry.text, reason: entry.reason?.text,
            secondsLeft: entry.expiry.map { Double($0.milliseconds - now.milliseconds) / 1000 })
    }
}
