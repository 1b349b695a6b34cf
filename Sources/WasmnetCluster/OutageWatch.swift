package import WasmnetQuota

/// Whether one Redis answers: at once, late, or not for so long that it is an outage. A value without clock, lock or I/O.
///
/// Time in which this node did not run is not Redis' silence: however late ``tick(now:)`` is called, it counts ``longestTick`` at most.
package struct OutageWatch: Sendable, Hashable {
    /// Between two queries while none is answered.
    package static let probeInterval = QuotaDuration.seconds(1)
    /// Twice the time between two ticks.
    static let longestTick = QuotaDuration.milliseconds(500)

    private let outageTime: QuotaDuration
    package private(set) var isOutage = false
    /// When the first query after the last answer was sent; nil: all are answered.
    package private(set) var unansweredSince: QuotaInstant?
    /// Nil: it went by a connection that is gone.
    private var lastQuestion: QuotaInstant?
    private var silence = QuotaDuration.zero
    private var lastTick: QuotaInstant?

    /// - Parameter outageTime: silence after which it is an outage.
    package init(outageTime: QuotaDuration) {
        self.outageTime = outageTime
    }

    package mutating func asked(now: QuotaInstant) {
        self.lastQuestion = now
        if self.unansweredSince == nil { self.unansweredSince = now }
    }

    /// A new connection: an answer that is still missing will not arrive.
    package mutating func connected() { self.lastQuestion = nil }

    /// - Returns: whether an outage ended just now.
    package mutating func answered() -> Bool {
        defer { self.isOutage = false }
        self.unansweredSince = nil
        self.silence = .zero
        return self.isOutage
    }

    /// Must be called four times a second.
    ///
    /// - Returns: whether an outage began just now.
    package mutating func tick(now: QuotaInstant) -> Bool {
        defer { self.lastTick = now }
        guard let since = self.unansweredSince else { return false }
        let elapsed = now - max(since, self.lastTick ?? since)
        self.silence = .microseconds(
            self.silence.microseconds + min(max(elapsed, .zero), Self.longestTick).microseconds)
        guard !self.isOutage, self.silence >= self.outageTime else { return false }
        self.isOutage = true
        return true
    }

    /// Whether a probe is due although no query waits.
    package func isProbeDue(now: QuotaInstant) -> Bool {
        guard self.unansweredSince != nil else { return false }
        return self.lastQuestion.map { now - $0 >= Self.probeInterval } ?? true
    }
}
