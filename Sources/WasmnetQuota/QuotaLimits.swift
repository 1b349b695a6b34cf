/// What one client may use, in the units of whoever counts it. In every member 0 means unlimited (for a burst: its default);
/// a negative number or a NaN counts as 0.
package struct QuotaLimits: Sendable, Hashable {
    /// Open sockets at once: dials in flight, streams, listeners, accepted and UDP sockets.
    package var maxSockets: Int
    /// Sessions (WebSockets) at once.
    package var maxSessions: Int
    /// Sockets opened a second; the slowest is one a day, the fastest 1,000,000.
    package var connectsPerSecond: Double
    /// Sockets that may be opened at once after a rest. Default: twice the rate, at least 1.
    package var connectBurst: Int
    /// Names resolved a second; the slowest is one a day, the fastest 1,000,000.
    package var resolvesPerSecond: Double
    /// Names that may be resolved at once after a rest. Default: twice the rate, at least 1.
    package var resolveBurst: Int
    /// Payload bytes a second, both directions together; whole bytes, from 1 to 10^12.
    package var bytesPerSecond: Double
    /// Bytes that may pass at once after a rest, up to 4 GiB. Default: a quarter of a second's worth, at least 64 KiB.
    package var byteBurst: Int
    /// Payload bytes a UTC day, both directions together.
    package var bytesPerDay: UInt64
    /// Messages that come to nothing a second, on each node; see ``NodeRate``.
    package var refusalsPerSecond: Double
    /// Such messages at once after a rest. Default: twice the rate, at least 1.
    package var refusalBurst: Int
    /// Sessions opened a second, on each node.
    package var sessionsPerSecond: Double
    /// Sessions that may be opened at once after a rest. Default: twice the rate, at least 1.
    package var sessionBurst: Int

    package init(
        maxSockets: Int = 0, maxSessions: Int = 0,
        connectsPerSecond: Double = 0, connectBurst: Int = 0,
        resolvesPerSecond: Double = 0, resolveBurst: Int = 0,
        bytesPerSecond: Double = 0, byteBurst: Int = 0,
        bytesPerDay: UInt64 = 0,
        refusalsPerSecond: Double = 0, refusalBurst: Int = 0,
        sessionsPerSecond: Double = 0, sessionBurst: Int = 0
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
        self.refusalsPerSecond = refusalsPerSecond
        self.refusalBurst = refusalBurst
        self.sessionsPerSecond = sessionsPerSecond
        self.sessionBurst = sessionBurst
    }

    package static let unlimited = QuotaLimits()
}
