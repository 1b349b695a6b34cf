import Synchronization

/// What all clients of a ledger use together, and the ledger's clock: the same as of the moments that callers pass in.
final class LedgerTotals: Sendable {
    let clock: @Sendable () -> QuotaInstant
    private let sessions = Atomic<Int>(0)
    private let sockets = Atomic<Int>(0)

    init(clock: @escaping @Sendable () -> QuotaInstant) {
        self.clock = clock
    }

    func opened(_ kind: SlotKind) { self.add(1, to: kind) }

    func closed(_ kind: SlotKind) { self.add(-1, to: kind) }

    func inUse(_ kind: SlotKind) -> Int {
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
