/// The generic cell rate algorithm (ITU-T I.371, virtual scheduling), in whole microseconds.
///
/// One number: the theoretical arrival time (TAT) of the next event. A refusal changes nothing and tells when to come back.
package struct GCRA: Equatable, Sendable {
    /// Theoretical arrival time, microseconds on the ledger's clock.
    package private(set) var tat: Int64

    package struct Rate: Equatable, Sendable {
        /// Microseconds between two events.
        package let interval: Int64
        /// How far ahead of now the TAT may be for an event to pass: (burst - 1) intervals.
        package let tolerance: Int64

        /// Nil where nothing is limited: a rate of 0, or one that is no number.
        ///
        /// - Parameters:
        ///   - perSecond: events a second; fractions too. At most one a microsecond.
        ///   - burst: events at once; 0 means twice a second's, at least 1.
        package init?(perSecond: Double, burst: Int) {
            guard perSecond > 0, perSecond.isFinite else { return nil }
            let interval = (1_000_000 / perSecond).rounded(.up)
            // 10 years: slower than that is never.
            self.interval = Int64(min(max(interval, 1), 3.2e14))
            let events = burst > 0 ? Int64(burst) : Int64(min(max((2 * perSecond).rounded(), 1), 1e9))
            self.tolerance = (events - 1).saturatingMultiply(self.interval)
        }
    }

    package init(tat: Int64 = .min) {
        self.tat = tat
    }

    /// How many microseconds until one event passes; 0 when it passes now.
    package func wait(_ rate: Rate, now: QuotaInstant) -> Int64 {
        let ahead = self.clamped(rate, now: now).saturatingSubtract(rate.tolerance)
        return max(0, ahead.saturatingSubtract(now.microseconds))
    }

    /// Counts one event that ``wait(_:now:)`` let pass.
    package mutating func pass(_ rate: Rate, now: QuotaInstant) {
        self.tat = max(self.clamped(rate, now: now), now.microseconds).saturatingAdd(rate.interval)
    }

    /// Whether nothing of it is worth remembering.
    package func isIdle(now: QuotaInstant) -> Bool { self.tat <= now.microseconds }

    /// A TAT further ahead than the burst allows (the clock stepped back, the burst was lowered) counts as the most it allows.
    private func clamped(_ rate: Rate, now: QuotaInstant) -> Int64 {
        min(self.tat, now.microseconds.saturatingAdd(rate.tolerance).saturatingAdd(rate.interval))
    }
}
