import CoreMetrics
import Synchronization

/// A number that only rises. Each thread adds to a row of its own.
///
/// Whole and fractional amounts are kept apart, so that a count of bytes stays exact to 2^64.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
    let key: SeriesKey
    private let rows: AtomicRows
    private let discards: Discards

    private static let whole = 0
    private static let fraction = 1

    init(key: SeriesKey, shards: Int, discards: Discards) {
        self.key = key
        self.rows = AtomicRows(rows: shards, words: 2)
        self.discards = discards
    }

    func increment(by amount: Int64) {
        guard amount >= 0 else { return self.discards.count(.negative) }
        self.rows.own[Self.whole].wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount.isFinite else { return self.discards.count(.notFinite) }
        guard amount >= 0 else { return self.discards.count(.negative) }
        self.rows.own[Self.fraction].add(amount)
    }

    /// Back to 0, which a scraper reads as a restart.
    func reset() {
        for row in 0..<self.rows.count {
            self.rows.row(row)[Self.whole].store(0, ordering: .relaxed)
            self.rows.row(row)[Self.fraction].store(0, ordering: .relaxed)
        }
    }

    var value: (whole: UInt64, fraction: Double) {
        var whole: UInt64 = 0
        var fraction = 0.0
        for row in 0..<self.rows.count {
            whole &+= self.rows.row(row)[Self.whole].load(ordering: .relaxed)
            fraction += self.rows.row(row)[Self.fraction].double
        }
        return (whole, fraction)
    }
}

/// Samples that no metric can take.
final class Discards: Sendable {
    enum Reason: String, CaseIterable {
        case negative
        case notFinite = "not_finite"
    }

    private let negative = AtomicWord(0)
    private let notFinite = AtomicWord(0)

    func count(_ reason: Reason) {
        switch reason {
        case .negative: self.negative.wrappingAdd(1, ordering: .relaxed)
        case .notFinite: self.notFinite.wrappingAdd(1, ordering: .relaxed)
        }
    }

    func value(_ reason: Reason) -> UInt64 {
        switch reason {
        case .negative: self.negative.load(ordering: .relaxed)
        case .notFinite: self.notFinite.load(ordering: .relaxed)
        }
    }
}
