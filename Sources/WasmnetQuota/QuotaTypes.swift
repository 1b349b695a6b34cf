/// Who is counted: an address (`a:203.0.113.7`, `a:2001:db8::/64`) or a token's subject (`t:…`).
package struct ClientID: Hashable, Sendable {
    package let text: String

    package init(text: String) {
        self.text = text
    }
}

/// What one client may use. 0 is unlimited everywhere.
package struct QuotaLimits: Sendable, Hashable {
    /// Open sockets: listeners, accepted and UDP ones too, and dials in flight.
    package var maxSockets: Int
    /// Open sessions (WebSockets).
    package var maxSessions: Int
    package var connectsPerSecond: Double
    /// Connects at once after a quiet time; 0 means twice a second's, at least 1.
    package var connectBurst: Int
    package var resolvesPerSecond: Double
    package var resolveBurst: Int
    /// Bytes a second, both directions of all sockets together.
    package var bytesPerSecond: Double
    /// Bytes at once after a quiet time; 0 means a quarter of a second's, at least 64 KiB.
    package var byteBurst: Int
    /// Bytes in one UTC day, both directions together.
    package var bytesPerDay: UInt64

    package init(
        maxSockets: Int = 0, maxSessions: Int = 0, connectsPerSecond: Double = 0, connectBurst: Int = 0,
        resolvesPerSecond: Double = 0, resolveBurst: Int = 0, bytesPerSecond: Double = 0, byteBurst: Int = 0,
        bytesPerDay: UInt64 = 0
    ) {
        self.maxSockets = maxSockets
        self.maxSessions = maxSessions
        self.connectsPerSecond = connectsPerSecond
        self.connectBurst = connectBurst
        self.resolvesPerSecond = resolvesPerSecond
        self.resolveBurst = resolveBurst
        self.bytesPerSecond = bytesPerSecond
        self.byteBurst = byteBurst
        self.bytesPerDay = bytesPerDay
    }
}

/// The limits there are: a closed list, fit for a metric label.
package enum QuotaKind: String, CaseIterable, Sendable {
    case sessions
    case sockets
    case connectRate = "connect_rate"
    case resolveRate = "resolve_rate"
    case bandwidth
    case dayBytes = "day_bytes"
}

/// A limit is reached.
package struct QuotaRefusal: Error, Sendable, Equatable {
    package var kind: QuotaKind
    /// When it may work again; 0 when waiting alone does not help.
    package var retryAfterMilliseconds: UInt32
    /// The limit in words.
    package var message: String

    package init(_ kind: QuotaKind, _ message: String, retryAfterMicroseconds: Int64 = 0) {
        self.kind = kind
        self.message = message
        // Rounded up: who comes back then is let in.
        let positive = max(0, retryAfterMicroseconds)
        self.retryAfterMilliseconds = UInt32(clamping: positive / 1000 + (positive % 1000 == 0 ? 0 : 1))
    }
}

/// What is asked for.
package enum Reservation: Sendable, CaseIterable {
    /// A session: one session slot.
    case session
    /// A socket that the client opens: one socket slot and one connect, and the day's bytes not spent. All or nothing.
    case socket
    /// A socket that came in on a listener: one socket slot.
    case accepted
    /// A name to look up: one resolve, no slot.
    case resolve
}

/// What a client uses at a moment.
package struct QuotaUsage: Sendable, Equatable {
    package var sockets: Int
    package var sessions: Int
    /// Bytes of the current UTC day; counted while a day limit is set.
    package var bytesToday: UInt64
}
