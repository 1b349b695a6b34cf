import Synchronization

/// The totals of all clients of a ledger, and the ledger's clock: the same as of the moments that callers pass in.
package final class LedgerTotals: Sendable {
    package let clock: @Sendable () -> QuotaInstant
    private let sessions = Atomic<Int>(0)
    private let sockets = Atomic<Int>(0)

    package init(clock: @escaping @Sendable () -> QuotaInstant) {
        self.clock = clock
    }

    package func opened(_ kind: SlotKind) { self.add(1, to: kind) }

    package func closed(_ kind: SlotKind) { self.add(-1, to: kind) }

    package func inUse(_ kind: SlotKind) -> Int {
        switch kind {
        case .session: self.sessions.load(ordering: .relaxed)
        case .socket: self.sockets.load(ordering: .relaxed)
        }
    }

    private func add(_ change: Int, to kind: SlotKind) {
        switch kind {
        case .session: self.sessions.wrappingAdd(change, ordering: .relaxed)
        case .socket: self.sockets.wrappingAdd(change, ordering: .relaxed)
        }
    }
}
