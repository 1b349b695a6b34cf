/// A client's usage at a moment, for the administrator and for tests.
package struct QuotaUsage: Sendable, Hashable {
    package var limits: ClientLimits
    package var sessions: Int
    package var sockets: Int
    /// Sockets that could be opened at once now; nil: unlimited.
    package var connectsLeft: Int?
    /// Names that could be resolved at once now; nil: unlimited.
    package var resolvesLeft: Int?
    /// Bytes that may pass at once now, negative while there is debt; nil: unlimited.
    package var byteTokens: Int64?
    /// Bytes of the current UTC day, both directions; counted with and without a limit.
    package var bytesToday: UInt64

    package init(
        limits: ClientLimits, sessions: Int, sockets: Int, connectsLeft: Int? = nil, resolvesLeft: Int? = nil,
        byteTokens: Int64? = nil, bytesToday: UInt64
    ) {
        self.limits = limits
        self.sessions = sessions
        self.sockets = sockets
        self.connectsLeft = connectsLeft
        self.resolvesLeft = resolvesLeft
        self.byteTokens = byteTokens
        self.bytesToday = bytesToday
    }
}

/// The contents of a ledger, for metrics.
package struct QuotaCounts: Sendable, Hashable {
    /// Clients in the table, idle ones included.
    package var clients: Int
    /// Session slots in use, of all clients.
    package var sessions: Int
    /// Socket slots in use, of all clients.
    package var sockets: Int
    /// Idle clients with remembered state that were dropped for lack of room: each has a fresh allowance.
    package var forgottenEarly: Int

    package init(clients: Int, sessions: Int, sockets: Int, forgottenEarly: Int) {
        self.clients = clients
        self.sessions = sessions
        self.sockets = sockets
        self.forgottenEarly = forgottenEarly
    }
}
