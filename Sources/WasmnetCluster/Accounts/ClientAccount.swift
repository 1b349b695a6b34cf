package import WasmnetQuota

/// What the cluster has counted of one client, at one time.
package struct ClientAccount: Sendable, Equatable {
    /// What one node holds of a client.
    package struct Holding: Sendable, Equatable {
        /// As in the node's entry in the registry.
        package var node: String
        package var sessions = 0
        package var sockets = 0
    }

    /// By Redis' clock.
    package var now: QuotaInstant
    /// Granted to nodes that live, which is at least what is open there; by node.
    package var holdings: [Holding]
    package var connects: GCRA
    package var resolves: GCRA
    /// Nil: nothing was taken of it lately.
    package var bandwidth: TokenBucket?
    /// Debited today (UTC), what nodes hold in advance included.
    package var dayBytes: UInt64
    package var dayEnds: QuotaInstant
    package var overrides: QuotaOverrides
    /// When the overrides end; nil where there are none.
    package var overridesEnd: QuotaInstant?

    /// What there would be to tell of a client that has used nothing, at the same moment.
    package var unused: ClientAccount {
        ClientAccount(
            now: self.now, holdings: [], connects: GCRA(), resolves: GCRA(), bandwidth: nil, dayBytes: 0,
            dayEnds: self.dayEnds, overrides: QuotaOverrides(), overridesEnd: nil)
    }

    package var sessions: Int { self.holdings.reduce(0) { $0 + $1.sessions } }
    package var sockets: Int { self.holdings.reduce(0) { $0 + $1.sockets } }
}
