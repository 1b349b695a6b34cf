/// The quotas of one node, kept in the process.
///
/// One lock for the table of clients, not shards: it is taken once a session (never for a byte, a socket or a name), for a look-up
/// of about a tenth of a microsecond; what many threads do at the same time, they do on the allowances. Lock order: table,
/// then allowance; an allowance never asks for the table.
package final class InProcessLedger: QuotaLedger {
    private let table: Guarded<ClientTable>
    private let shared: LedgerTotals

    /// - Parameters:
    ///   - capacity: how many clients are remembered, idle ones included; past it idle ones are forgotten, and come back with
    ///     a fresh allowance. Clients in use are never forgotten and may exceed it.
    ///   - clock: the clock of all the moments that callers pass in; it tells what an idle client still owes.
    package init(capacity: Int = 65_536, clock: @escaping @Sendable () -> QuotaInstant) {
        self.table = Guarded(ClientTable(capacity: capacity))
        self.shared = LedgerTotals(clock: clock)
    }

    package func allowance(for client: ClientID, limits: QuotaLimits) -> any ClientAllowance {
        let now = self.shared.clock()
        return self.table.withLock { table in
            if let known = table.find(client) {
                known.meetAgain(limits: limits, now: now)
                return known
            }
            let fresh = InProcessAllowance(client: client, limits: limits, totals: self.shared)
            table.add(fresh, at: now)
            return fresh
        }
    }

    package var counts: QuotaCounts {
        let (clients, forgottenEarly) = self.table.withLock { ($0.count, $0.forgottenEarly) }
        return QuotaCounts(
            clients: clients, sessions: self.shared.inUse(.session), sockets: self.shared.inUse(.socket),
            forgottenEarly: forgottenEarly)
    }

    /// The same as ``counts``.
    package func totals() -> QuotaCounts { self.counts }
}
