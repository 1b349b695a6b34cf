/// What is limited: a closed list, fit for a metric's label.
package enum QuotaKind: String, CaseIterable, Sendable {
    case sessions
    case sockets
    case connectRate = "connect_rate"
    case resolveRate = "resolve_rate"
    case bandwidth
    case dayBytes = "day_bytes"
    /// Not a limit: it could not be determined in time whether there is room.
    case unanswered
}

/// Why something was not granted, and when to retry.
package struct QuotaRefusal: Error, Sendable, Hashable {
    package var kind: QuotaKind
    /// Milliseconds after which the same request is granted if nothing else is requested in between; 0: waiting alone does not
    /// help, something must be closed first.
    package var retryAfterMilliseconds: UInt32

    package init(kind: QuotaKind, retryAfterMilliseconds: UInt32 = 0) {
        self.kind = kind
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    /// A refusal that ends by itself: at least one millisecond, however short the wait.
    package init(kind: QuotaKind, retryAfter: QuotaDuration) {
        self.init(kind: kind, retryAfterMilliseconds: max(1, retryAfter.millisecondsRoundedUp))
    }

    /// It could not be determined in time whether there is room.
    package static let unanswered = QuotaRefusal(kind: .unanswered, retryAfterMilliseconds: 1000)

    /// A sentence for the client; it contains nothing that the client does not know.
    package var message: String {
        switch self.kind {
        case .sessions: "too many sessions of this client are open"
        case .sockets: "too many sockets of this client are open"
        case .connectRate: "this client connects too often"
        case .resolveRate: "this client resolves names too often"
        case .bandwidth: "this client's bandwidth is used up for now"
        case .dayBytes: "this client's bytes for today are used up"
        case .unanswered: "what this client may use cannot be looked up right now; try again"
        }
    }
}
