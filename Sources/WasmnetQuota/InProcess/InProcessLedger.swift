import WasmnetNet

/// The quotas of one node, kept in the process.
///
/// One lock for the table of clients, not shards: it is taken once a session (never for a byte, a socket or a name), for a lookup
/// of about a tenth of a microsecond; concurrent work of many threads happens on the allowances. Lock order: table,
/// then allowance; an allowance never accesses the table.
package final class InProcessLedger: QuotaLedger {
    private let table: Guarded<ClientTable>
    private let shared: LedgerTotals
    /// Overrides for single clients, known or not; at most ``maxOverrides``.
    private let overrides = Guarded<[ClientID: ActiveOverrides]>([:])
    package static let maxOverrides = 10_000

    /// - Parameters:
    ///   - capacity: how many clients are remembered, including idle ones; above it idle ones are dropped, and return with
    ///     a fresh allowance. Clients in use are never dropped and may exceed it.
    ///   - clock: the clock of all the moments that callers pass in; it determines what an idle client still owes.
    package init(capacity: Int = 65_536, clock: @escaping @Sendable () -> QuotaInstant) {
        self.table = Guarded(ClientTable(capacity: capacity))
        self.shared = LedgerTotals(clock: clock)
    }

    package func allowance(for client: ClientID, limits: ClientLimits) -> any ClientAllowance {
        let now = self.shared.clock()
        return self.table.withLock { table in
            if let known = table.find(client) {
                known.updateLimits(limits: limits, now: now)
                return known
            }
            let fresh = InProcessAllowance(
                client: client, limits: limits, active: self.activeOverrides(of: client, at: now), totals: self.shared)
            table.add(fresh, at: now)
            return fresh
        }
    }

    /// A client's present usage; nil for one that is not in the table.
    package func usage(of client: ClientID) -> QuotaUsage? {
        self.table.withLock { $0.find(client) }?.usage(now: self.shared.clock())
    }

    /// What was counted for a client on this node, and the policy's limits for it if it is in the table. Nil for one that is not, and
    /// has no overrides.
    package func account(of client: ClientID, node: String) -> (account: ClientAccount, limits: ClientLimits?)? {
        let now = self.shared.clock()
        if let known = self.table.withLock({ $0.find(client) }) {
            let (account, limits) = known.account(now: now, node: node)
            return (account, limits)
        }
        guard let active = self.activeOverrides(of: client, at: now) else { return nil }
        var account = ClientModel(limits: .unlimited).account(at: now, node: node)
        account.overrides = active.overrides
        account.overridesEnd = active.until
        return (account, nil)
    }

    // MARK: Overrides

    private func activeOverrides(of client: ClientID, at now: QuotaInstant) -> ActiveOverrides? {
        self.overrides.withLock { $0[client].flatMap { now < $0.until ? $0 : nil } }
    }

    /// Overrides the policy's limits for a time, replacing earlier overrides.
    ///
    /// - Returns: false if ``maxOverrides`` are set already.
    @discardableResult
    package func set(_ overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) -> Bool {
        let now = self.shared.clock()
        let active = ActiveOverrides(overrides: overrides, until: now + time)
        let isSet = self.overrides.withLock { all in
            if all.count >= Self.maxOverrides { all = all.filter { now < $0.value.until } }
            guard all[client] != nil || all.count < Self.maxOverrides else { return false }
            all[client] = active
            return true
        }
        if isSet { self.table.withLock { $0.find(client) }?.set(active) }
        return isSet
    }

    /// Removes the overrides: the policy's limits apply again.
    ///
    /// - Returns: whether there were any.
    @discardableResult
    package func clearOverrides(of client: ClientID) -> Bool {
        let now = self.shared.clock()
        let taken = self.overrides.withLock { $0.removeValue(forKey: client) }
        self.table.withLock { $0.find(client) }?.set(nil)
        return taken.map { now < $0.until } ?? false
    }

    package var counts: QuotaCounts {
        let (clients, forgottenEarly) = self.table.withLock { ($0.count, $0.forgottenEarly) }
        return QuotaCounts(
            clients: clients, sessions: self.shared.inUse(.session), sockets: self.shared.inUse(.socket),
            forgottenEarly: forgottenEarly)
    }
}
