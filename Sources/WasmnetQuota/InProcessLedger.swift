import Synchronization

/// The ledger of a node that stands alone: every client's allowance in one table.
///
/// The table is swept when it has doubled since the last sweep: clients that hold nothing and owe nothing are forgotten. A client whose
/// day counter is not 0 is remembered until its day ends, but no more than ``rememberedClients`` of them: past that, any that hold
/// nothing go, so that a flood of addresses cannot fill the memory (about 400 bytes a client).
package final class InProcessLedger: QuotaLedger {
    private struct Table: Sendable {
        var clients: [ClientID: InProcessAllowance] = [:]
        var sweepAt = 1024
    }

    /// Clients remembered although they hold nothing.
    package let rememberedClients: Int
    private let table = Mutex(Table())
    private let clock: @Sendable () -> QuotaInstant

    /// - Parameters:
    ///   - rememberedClients: default 100,000.
    ///   - clock: the clock of all the moments that are passed in; used by sweeps.
    package init(rememberedClients: Int = 100_000, clock: @escaping @Sendable () -> QuotaInstant) {
        self.rememberedClients = rememberedClients
        self.clock = clock
    }

    package func allowance(for client: ClientID, limits: QuotaLimits) -> any ClientAllowance {
        let now = self.clock()
        let allowance = self.table.withLock { table in
            if table.clients.count >= table.sweepAt { self.sweep(&table, now) }
            let allowance = table.clients[client] ?? InProcessAllowance(client: client, limits: limits)
            table.clients[client] = allowance
            allowance.touch(now: now)
            return allowance
        }
        allowance.apply(limits: limits)
        return allowance
    }

    private func sweep(_ table: inout Table, _ now: QuotaInstant) {
        var remembered = 0
        table.clients = table.clients.filter { _, allowance in
            let (isIdle, forgettable) = allowance.idleness(now: now)
            guard isIdle else { return true }
            guard !forgettable, remembered < self.rememberedClients else { return false }
            remembered += 1
            return true
        }
        table.sweepAt = max(1024, table.clients.count * 2)
    }

    /// Clients in the table.
    package var clientCount: Int { self.table.withLock { $0.clients.count } }

    /// What all clients hold together, for metrics and tests.
    package func totals() -> QuotaUsage {
        let now = self.clock()
        let clients = self.table.withLock { Array($0.clients.values) }
        return clients.reduce(into: QuotaUsage(sockets: 0, sessions: 0, bytesToday: 0)) { sum, allowance in
            let usage = allowance.usage(now: now)
            sum.sockets += usage.sockets
            sum.sessions += usage.sessions
            sum.bytesToday = sum.bytesToday.addingReportingOverflow(usage.bytesToday).partialValue
        }
    }
}
