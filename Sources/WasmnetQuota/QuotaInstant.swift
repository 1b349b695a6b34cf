import WasmnetNet

/// A moment on the one clock of all quotas: whole microseconds since the Unix epoch, passed in by the caller.
///
/// Values are clamped to `0...2^52` (the year 2112), so that sums with every interval used here stay exact in an `Int64` and in
/// the doubles of a Lua script; no arithmetic on instants can trap.
package struct QuotaInstant: Comparable, Hashable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z, in `0...2^52`.
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = min(max(microseconds, 0), QuotaDuration.largest)
    }

    package static let epoch = QuotaInstant(microseconds: 0)
    /// The latest representable moment; "never" for a wait.
    package static let distantFuture = QuotaInstant(microseconds: .max)

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    package static func + (left: Self, right: QuotaDuration) -> Self {
        Self(microseconds: left.microseconds + right.microseconds)
    }

    package static func - (left: Self, right: QuotaDuration) -> Self {
        Self(microseconds: left.microseconds - right.microseconds)
    }

    package static func - (left: Self, right: Self) -> QuotaDuration {
        QuotaDuration(microseconds: left.microseconds - right.microseconds)
    }
}

/// A duration in whole microseconds, clamped to `-2^52...2^52` (142 years either way).
package struct QuotaDuration: Comparable, Hashable, Sendable {
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = min(max(microseconds, -Self.largest), Self.largest)
    }

    static let largest: Int64 = 1 << 52

    package static let zero = QuotaDuration(microseconds: 0)

    package static func microseconds(_ count: Int64) -> Self { Self(microseconds: count) }
    package static func milliseconds(_ count: Int64) -> Self { Self(saturating: count, times: 1000) }
    package static func seconds(_ count: Int64) -> Self { Self(saturating: count, times: 1_000_000) }

    private init(saturating count: Int64, times unit: Int64) {
        let (product, overflow) = count.multipliedReportingOverflow(by: unit)
        self.init(microseconds: overflow ? (count < 0 ? .min : .max) : product)
    }

    /// Whole milliseconds, rounded up, so that waiting that long is enough; 0 for zero or less.
    package var millisecondsRoundedUp: UInt32 {
        UInt32(clamping: (max(self.microseconds, 0) + 999) / 1000)
    }

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// How far two readings of the clock may run backwards without counting as a clock step: event loops read it one after the
    /// other but their calls arrive in any order. Within it time stands still; beyond it a limiter restarts from the new time.
    static let clockTolerance = QuotaDuration.seconds(1)
}
