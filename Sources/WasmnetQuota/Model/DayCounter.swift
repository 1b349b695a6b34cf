/// Bytes of one UTC day. A new day begins at 0; a clock running backwards never returns bytes.
package struct DayCounter: Sendable, Hashable {
    /// Days since 1970-01-01.
    package private(set) var day: Int64 = 0
    /// Bytes of that day; saturates at 2^53 - 1 (9 petabytes), so a limit above that is never reached.
    package private(set) var used: UInt64 = 0

    package init() {}

    private static let length: Int64 = 86_400_000_000
    private static let most: UInt64 = (1 << 53) - 1

    /// Advances to the day of `now`. A reading from just before midnight that arrives late counts for the new day; after a clock was
    /// set back the bytes stay counted, in the day it is now.
    package mutating func roll(to now: QuotaInstant) {
        let today = now.microseconds / Self.length
        if today > self.day {
            self.day = today
            self.used = 0
        } else if now.microseconds < self.day * Self.length - QuotaDuration.clockTolerance.microseconds {
            self.day = today
        }
    }

    /// Counts bytes for the current day without checking the clock.
    package mutating func add(_ bytes: UInt64) {
        self.used = bytes > Self.most - self.used ? Self.most : self.used + bytes
    }

    /// The first moment of the next day.
    package var end: QuotaInstant { QuotaInstant(microseconds: (self.day + 1) * Self.length) }

    /// Bytes left of a limit (0: unlimited); nil: unlimited.
    package func left(of limit: UInt64) -> UInt64? {
        guard limit > 0 else { return nil }
        return limit > self.used ? limit - self.used : 0
    }
}
