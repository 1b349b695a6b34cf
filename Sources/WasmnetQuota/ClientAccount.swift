/// What was counted for one client, in the cluster or in this process, at one time.
package struct ClientAccount: Sendable, Equatable {
    /// What one node holds of a client.
    package struct Holding: Sendable, Equatable {
        /// As in the node's entry in the registry.
        package var node: String
        package var sessions: Int
        package var sockets: Int

        package init(node: String, sessions: Int = 0, sockets: Int = 0) {
            self.node = node
            self.sessions = sessions
            self.sockets = sockets
        }
    }

    /// By Redis' clock if there is one.
    package var now: QuotaInstant
    /// Slots granted to live nodes, at least as many as are open there; by node.
    package var holdings: [Holding]
    package var connects: GCRA
    package var resolves: GCRA
    /// Nil: none of it was used recently.
    package var bandwidth: TokenBucket?
    /// Debited today (UTC), including the nodes' leases.
    package var dayBytes: UInt64
    package var dayEnds: QuotaInstant
    package var overrides: QuotaOverrides
    /// When the overrides expire; nil if there are none.
    package var overridesEnd: QuotaInstant?

    package init(
        now: QuotaInstant, holdings: [Holding] = [], connects: GCRA = GCRA(), resolves: GCRA = GCRA(),
        bandwidth: TokenBucket? = nil, dayBytes: UInt64 = 0, dayEnds: QuotaInstant,
        overrides: QuotaOverrides = QuotaOverrides(), overridesEnd: QuotaInstant? = nil
    ) {
        self.now = now
        self.holdings = holdings
        self.connects = connects
        self.resolves = resolves
        self.bandwidth = bandwidth
        self.dayBytes = dayBytes
        self.dayEnds = dayEnds
        self.overrides = overrides
        self.overridesEnd = overridesEnd
    }

    /// The account of a client that has used nothing, at the same moment.
    package var unused: ClientAccount { ClientAccount(now: self.now, dayEnds: self.dayEnds) }

    package var sessions: Int { self.holdings.reduce(0) { $0 + $1.sessions } }
    package var sockets: Int { self.holdings.reduce(0) { $0 + $1.sockets } }
}
