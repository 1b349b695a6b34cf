/// A moment, in microseconds since the Unix epoch. All of one ledger's moments come from one clock, passed in by the caller.
package struct QuotaInstant: Comparable, Hashable, Sendable {
    package var microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package static func < (left: Self, right: Self) -> Bool { left.microseconds < right.microseconds }

    /// The moment so many microseconds later; at the ends of the range it stays there.
    package func advanced(byMicroseconds delta: Int64) -> Self {
        Self(microseconds: self.microseconds.saturatingAdd(delta))
    }
}

extension Int64 {
    static let microsecondsPerSecond: Int64 = 1_000_000

    func saturatingAdd(_ other: Int64) -> Int64 {
        let (sum, overflow) = self.addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    func saturatingSubtract(_ other: Int64) -> Int64 {
        let (difference, overflow) = self.subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }

    func saturatingMultiply(_ other: Int64) -> Int64 {
        let (product, overflow) = self.multipliedReportingOverflow(by: other)
        return overflow ? ((self < 0) == (other < 0) ? .max : .min) : product
    }
}
