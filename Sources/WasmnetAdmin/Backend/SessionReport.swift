package enum SessionState: String, Sendable, Codable, CaseIterable {
    case open
    /// Accepts no new sockets and ends with its last.
    case draining
}

/// A live session, for the operator.
package struct SessionReport: Sendable, Hashable, Codable {
    package var id: String
    /// The client as the quotas count it.
    package var client: String
    /// Where its connection comes from.
    package var remoteAddress: String
    /// The protocol version: `v1`, `v2`.
    package var `protocol`: String
    package var state: SessionState
    package var ageSeconds: Double
    package var sockets: Int
    /// From the client to its targets.
    package var bytesUp: UInt64
    package var bytesDown: UInt64

    package init(
        id: String, client: String, remoteAddress: String, protocol: String, state: SessionState, ageSeconds: Double,
        sockets: Int, bytesUp: UInt64, bytesDown: UInt64
    ) {
        self.id = id
        self.client = client
        self.remoteAddress = remoteAddress
        self.protocol = `protocol`
        self.state = state
        self.ageSeconds = ageSeconds
        self.sockets = sockets
        self.bytesUp = bytesUp
        self.bytesDown = bytesDown
    }
}

/// A filter for sessions. A nil member matches all.
package struct SessionQuestion: Sendable, Hashable {
    package var window: PageWindow
    package var client: String?
    package var state: SessionState?
    /// Sessions with a socket to that destination; see ``SocketReport/leads(to:)``.
    package var destination: String?

    package init(
        window: PageWindow = PageWindow(), client: String? = nil, state: SessionState? = nil, destination: String? = nil
    ) {
        self.window = window
        self.client = client
        self.state = state
        self.destination = destination
    }

    /// Whether a session matches; `sockets` are its own, read only if a destination is given.
    package func includes(_ session: SessionReport, sockets: @autoclosure () -> [SocketReport]) -> Bool {
        (self.client == nil || self.client == session.client) && (self.state == nil || self.state == session.state)
            && (self.destination.map { destination in sockets().contains { $0.leads(to: destination) } } ?? true)
    }
}
