import CoreMetrics
import Synchronization

/// A number that only rises. Each thread adds to its own row.
final class CounterSeries: CounterHandler {
    private let rows: AtomicRows
    private let discards: Discards

    init(shards: Int, discards: Discards) {
        self.rows = AtomicRows(rows: shards, words: 1)
        self.discards = discards
    }

    func increment(by amount: Int64) {
        guard amount >= 0 else { return self.discards.count(.negative) }
        self.rows.own[0].wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    /// Back to 0, which a scraper reads as a restart.
    func reset() {
        for row in 0..<self.rows.count { self.rows.row(row)[0].store(0, ordering: .relaxed) }
    }

    /// An integer, so that a count of bytes stays exact to 2^64.
    var value: UInt64 {
        (0..<self.rows.count).reduce(0) { $0 &+ self.rows.row($1)[0].load(ordering: .relaxed) }
    }
}

/// Samples that no metric accepts.
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
