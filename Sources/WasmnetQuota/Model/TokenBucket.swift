/// Bytes a second with a burst: a bucket that fills at the rate up to the burst, and may be charged below zero.
///
/// Bytes are charged after they passed: a reader that finds tokens reads, the charge may leave a debt, and no reader reads until
/// the debt is paid. **Bound**: with readers that check, read at most `r` bytes and charge, one after the other, at most
/// `burst + rate * t + r` bytes pass in any span of t; with n readers that check at the same time (one an event loop), `n * r`.
///
/// The level is kept in millionths of a byte, so rate times microseconds is exact. Levels, and debts, are capped at 4 GiB: every sum
/// here stays below 2^53. Readings of the clock that run backwards within its tolerance add nothing; t is between the latest
/// readings seen, so in real time add how late a reading may be.
package struct TokenBucket: Sendable, Hashable {
    /// Millionths of a byte, in `-2^32 * 10^6 ... 2^32 * 10^6`; below zero is debt. A fresh one is full whatever the burst.
    package private(set) var level: Int64 = Self.deepest
    package private(set) var refilledAt = QuotaInstant.epoch

    package init() {}

    /// A bucket that was stored elsewhere; a level out of its range is clamped.
    package init(level: Int64, refilledAt: QuotaInstant) {
        self.level = min(max(level, -Self.deepest), Self.deepest)
        self.refilledAt = refilledAt
    }

    /// The maximum of one charge, one burst and one debt, in bytes.
    package static let maxBytes: Int64 = 1 << 32
    private static let unit: Int64 = 1_000_000
    private static let deepest = maxBytes * unit

    package mutating func refill(at now: QuotaInstant, rate: Rate) {
        let capacity = rate.burst * Self.unit
        self.level = min(self.level, capacity)
        let elapsed = now - self.refilledAt
        if elapsed > .zero {
            // A bucket that has had time to fill is full; otherwise the product is below capacity and cannot overflow.
            let timeToFill = (capacity - self.level) / rate.bytesPerSecond + 1
            self.level =
                elapsed.microseconds >= timeToFill
                ? capacity : self.level + elapsed.microseconds * rate.bytesPerSecond
            self.refilledAt = now
        } else if elapsed.microseconds < -QuotaDuration.clockTolerance.microseconds {
            self.refilledAt = now
        }
    }

    /// Takes bytes that have passed, into debt if need be.
    package mutating func charge(bytes: Int64, at now: QuotaInstant, rate: Rate) {
        self.refill(at: now, rate: rate)
        self.level = max(
            self.level - min(max(bytes, 0), Self.maxBytes) * Self.unit, -min(rate.maxDebt * Self.unit, Self.deepest))
    }

    /// Grants up to `wanted` whole bytes to be spent later; never into debt.
    package mutating func grant(bytes wanted: Int64, at now: QuotaInstant, rate: Rate) -> Int64 {
        self.refill(at: now, rate: rate)
        let granted = min(max(wanted, 0), max(self.level, 0) / Self.unit)
        self.level -= granted * Self.unit
        return granted
    }

    /// When the level, as last refilled, is above zero (again).
    package func positive(rate: Rate) -> QuotaInstant {
        guard self.level <= 0 else { return self.refilledAt }
        return self.refilledAt + .microseconds(-self.level / rate.bytesPerSecond + 1)
    }

    /// Whole bytes in the bucket as last refilled, rounded down; negative: debt.
    package var bytes: Int64 {
        let (quotient, remainder) = self.level.quotientAndRemainder(dividingBy: Self.unit)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// Whether it would be full by then.
    package func isFull(at now: QuotaInstant, rate: Rate) -> Bool {
        var refilled = self
        refilled.refill(at: now, rate: rate)
        return refilled.level >= rate.burst * Self.unit
    }
}

extension TokenBucket {
    /// A rate and its burst in whole bytes, so that both engines compute alike.
    package struct Rate: Sendable, Hashable {
        /// In `1...10^12`; a fraction is rounded to the nearest whole byte.
        package let bytesPerSecond: Int64
        /// In `1...2^32`.
        package let burst: Int64

        /// Charges beyond this debt are forgiven: two bursts, and at least 1 MiB.
        var maxDebt: Int64 { max(2 * self.burst, 1 << 20) }

        /// The most bytes of one read: a 64th of a second's bytes, 16 to 256 KiB.
        package var readQuantum: Int { Int(min(max(self.bytesPerSecond / 64, 16 << 10), 256 << 10)) }

        /// Nil: unlimited (a rate of 0 or less, infinity, NaN). A burst below 1 means its default, a quarter of a second's
        /// worth and at least 64 KiB.
        package init?(bytesPerSecond rate: Double, burst: Int) {
            guard rate > 0, rate.isFinite else { return nil }
            self.bytesPerSecond = Int64(min(max(rate.rounded(), 1), 1e12))
            self.burst = min(
                burst > 0 ? Int64(burst) : max(self.bytesPerSecond / 4, 64 << 10), TokenBucket.maxBytes)
        }
    }
}
