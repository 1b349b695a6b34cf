import NIOCore
package import WasmnetNet
package import WasmnetPolicy

/// The denylist of a node without Redis: kept in memory, lost when the process ends.
package actor InProcessDenylist: DenylistStore {
    private var book: DenylistReplica
    private let inForce: ActiveDenylist
    private let systemTime: @Sendable () -> UnixTime

    /// - Parameters:
    ///   - systemTime: the clock for expiries.
    ///   - most: the list's maximum number of entries.
    package init(
        to inForce: ActiveDenylist, most: Int = DenylistReplica.maxEntries,
        systemTime: @escaping @Sendable () -> UnixTime
    ) {
        self.book = DenylistReplica(most: most)
        self.inForce = inForce
        self.systemTime = systemTime
        inForce.install(self.book.list, fresh: [], confirmed: MachineClock.uptimeNanoseconds())
    }

    package func write(
        _ changes: [DenylistChange], replaces: Bool
    ) async throws(DenylistStoreError) -> DenylistReceipt {
        self.change(changes, replaces)
    }

    package func read() async throws(DenylistStoreError) -> Denylist { self.book.list }

    private static let interval = Duration.seconds(1)

    /// Removes expired entries until its task is cancelled. They do not apply in any case: this frees their memory.
    package func run() async {
        while !Task.isCancelled {
            self.change([], false)
            try? await Task.sleep(for: Self.interval)
        }
    }

    @discardableResult
    private func change(_ changes: [DenylistChange], _ replaces: Bool) -> DenylistReceipt {
        let now = self.systemTime()
        self.inForce.set(DenylistClock(system: now))
        let (receipt, records) = self.book.write(changes, clears: replaces, now: now)
        let fresh = records.compactMap { record in
            if case .put(let entry) = record { entry } else { nil }
        }
        self.inForce.install(self.book.list, fresh: fresh, confirmed: MachineClock.uptimeNanoseconds())
        return receipt
    }
}
