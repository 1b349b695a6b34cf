/// Bytes in the current UTC day.
package struct DayCounter: Equatable, Sendable {
    private static let day: Int64 = 86_400 * Int64.microsecondsPerSecond
    private var index: Int64 = .min
    private var counted: UInt64 = 0

    package init() {}

    private static func index(_ now: QuotaInstant) -> Int64 {
        // Rounded down for moments before the epoch as well.
        let (quotient, remainder) = now.microseconds.quotientAndRemainder(dividingBy: Self.day)
        return remainder < 0 ? quotient - 1 : quotient
    }

    package func used(now: QuotaInstant) -> UInt64 { self.index == Self.index(now) ? self.counted : 0 }

    package mutating func add(_ bytes: UInt64, now: QuotaInstant) {
        let today = Self.index(now)
        if self.index != today {
            self.index = today
            self.counted = 0
        }
        let (sum, overflow) = self.counted.addingReportingOverflow(bytes)
        self.counted = overflow ? .max : sum
    }

    /// Microseconds until the next day begins.
    package static func untilTomorrow(_ now: QuotaInstant) -> Int64 {
        (Self.index(now) + 1).saturatingMultiply(Self.day).saturatingSubtract(now.microseconds)
    }
}
