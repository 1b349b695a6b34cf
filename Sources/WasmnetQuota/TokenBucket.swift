/// Bytes a second as a token bucket in whole bytes and microseconds. What passed is charged at once, into debt if need be; who is in
/// debt waits.
///
/// **Bound**: bytes in any interval t <= burst + rate * t + the last charge before the wait.
package struct TokenBucket: Equatable, Sendable {
    package struct Rate: Equatable, Sendable {
        /// Bytes a second, at least 1.
        package let bytesPerSecond: Int64
        /// The most that gathers while nothing passes, in bytes.
        package let burst: Int64

        /// Nil where nothing is limited.
        package init?(bytesPerSecond: Double, burst: Int) {
            guard bytesPerSecond > 0, bytesPerSecond.isFinite else { return nil }
            self.bytesPerSecond = Int64(min(max(bytesPerSecond.rounded(), 1), 1e12))
            self.burst = burst > 0 ? min(Int64(burst), 1 << 40) : max(self.bytesPerSecond / 4, 64 << 10)
        }
    }

    /// Tokens, in bytes; negative is debt.
    package private(set) var tokens: Int64
    /// Up to when tokens were filled in, microseconds.
    private var filled: Int64
    /// A debt has a floor, so that no sum overflows: more than a day at full rate is owed by nobody.
    private static let deepest: Int64 = -(1 << 50)

    /// A full bucket.
    package init(_ rate: Rate, now: QuotaInstant) {
        self.tokens = rate.burst
        self.filled = now.microseconds
    }

    package mutating func charge(_ bytes: Int64, _ rate: Rate, now: QuotaInstant) {
        self.fill(rate, now: now)
        self.tokens = max(Self.deepest, self.tokens.saturatingSubtract(max(0, bytes)))
    }

    /// Microseconds until there is a token; 0 when there is one.
    package mutating func wait(_ rate: Rate, now: QuotaInstant) -> Int64 {
        self.fill(rate, now: now)
        return self.tokens > 0 ? 0 : Self.time(for: 1 - self.tokens, rate)
    }

    package mutating func isFull(_ rate: Rate, now: QuotaInstant) -> Bool {
        self.fill(rate, now: now)
        return self.tokens >= rate.burst
    }

    private mutating func fill(_ rate: Rate, now: QuotaInstant) {
        self.tokens = min(self.tokens, rate.burst)
        let elapsed = now.microseconds.saturatingSubtract(self.filled)
        guard elapsed > 0 else {
            // The clock stepped back: nothing is filled in, and nothing twice.
            if elapsed < 0 { self.filled = now.microseconds }
            return
        }
        let missing = rate.burst - self.tokens
        if elapsed >= Self.time(for: missing, rate) {
            self.tokens = rate.burst
            self.filled = now.microseconds
        } else {
            let whole = Self.multiply(elapsed, rate.bytesPerSecond, dividingBy: Int64.microsecondsPerSecond)
            self.tokens += whole
            // Only the time that whole tokens took: no fraction is lost.
            self.filled += Self.multiply(whole, Int64.microsecondsPerSecond, dividingBy: rate.bytesPerSecond)
        }
    }

    /// Microseconds that so many bytes take, rounded up.
    private static func time(for bytes: Int64, _ rate: Rate) -> Int64 {
        self.multiply(max(0, bytes), Int64.microsecondsPerSecond, dividingBy: rate.bytesPerSecond).saturatingAdd(1)
    }

    private static func multiply(_ left: Int64, _ right: Int64, dividingBy divisor: Int64) -> Int64 {
        let (small, overflow) = left.multipliedReportingOverflow(by: right)
        guard overflow else { return small / divisor }
        let product = left.multipliedFullWidth(by: right)
        // A quotient that does not fit would trap: those are for ever.
        guard product.high < divisor / 2, left > 0, right > 0 else { return .max }
        return divisor.dividingFullWidth(product).quotient
    }
}
