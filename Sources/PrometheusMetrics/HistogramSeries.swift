import CoreMetrics
import NIOConcurrencyHelpers
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A distribution: how many values fell in each bucket, and their sum.
///
/// A scrape sees each recorded value whole or not at all, in buckets, sum and count alike, and a recording thread never waits.
/// The way is the Prometheus Go client's (client_golang, histogram.go): two sets of cells, of which one is hot. A word holds the
/// number of recordings begun and, in its top bit, which set is hot. A recording takes its set from the word it adds to, and
/// counts itself done in the set last. A scrape flips the bit, waits until every recording begun on the now cold set is done,
/// reads it, and adds it to the hot one. Each thread has its own row of all this.
final class HistogramSeries: RecorderHandler, TimerHandler {
    struct Reading: Hashable {
        /// One more than there are bounds; not cumulative.
        var buckets: [UInt64]
        var sum: Double

        var count: UInt64 { self.buckets.reduce(0, &+) }
    }

    /// The words of a row: the begun word, then two sets of done, sum and buckets.
    private struct Layout {
        let buckets: Int
        static let begun = 0
        static let hotBit: UInt64 = 1 << 63
        var wordsPerSet: Int { self.buckets + 2 }
        var words: Int { 1 + 2 * self.wordsPerSet }

        func set(of begun: UInt64) -> Int { 1 + (begun & Self.hotBit == 0 ? 0 : self.wordsPerSet) }
        func otherSet(of begun: UInt64) -> Int { self.set(of: begun ^ Self.hotBit) }
        static func done(_ set: Int) -> Int { set }
        static func sum(_ set: Int) -> Int { set + 1 }
        static func bucket(_ index: Int, _ set: Int) -> Int { set + 2 + index }
    }

    let key: SeriesKey
    let buckets: Buckets
    private let layout: Layout
    private let rows: AtomicRows
    private let discards: Discards
    /// Held by scrapes alone: two at once would flip the same bit twice.
    private let scraping = NIOLock()

    init(key: SeriesKey, buckets: Buckets, shards: Int, discards: Discards) {
        self.key = key
        self.buckets = buckets
        self.layout = Layout(buckets: buckets.bounds.count + 1)
        self.rows = AtomicRows(rows: shards, words: self.layout.words)
        self.discards = discards
    }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return self.discards.count(.notFinite) }
        let bucket = self.buckets.index(of: value)
        let row = self.rows.own
        let begun = row[Layout.begun].wrappingAdd(1, ordering: .acquiring).oldValue
        let set = self.layout.set(of: begun)
        row[Layout.bucket(bucket, set)].wrappingAdd(1, ordering: .relaxed)
        row[Layout.sum(set)].add(value)
        row[Layout.done(set)].wrappingAdd(1, ordering: .releasing)
    }

    /// Counted in seconds.
    func recordNanoseconds(_ duration: Int64) {
        guard duration >= 0 else { return self.discards.count(.negative) }
        self.record(Double(duration) / 1e9)
    }

    func read() -> Reading {
        self.scraping.withLock {
            var reading = Reading(buckets: Array(repeating: 0, count: self.layout.buckets), sum: 0)
            for row in 0..<self.rows.count { self.read(self.rows.row(row), into: &reading) }
            return reading
        }
    }

    private func read(_ row: UnsafeMutablePointer<AtomicWord>, into reading: inout Reading) {
        let begun = row[Layout.begun].wrappingAdd(Layout.hotBit, ordering: .acquiringAndReleasing).oldValue
        let count = begun & ~Layout.hotBit
        guard count > 0 else { return }
        let cold = self.layout.set(of: begun)
        let hot = self.layout.otherSet(of: begun)
        while row[Layout.done(cold)].load(ordering: .acquiring) != count { sched_yield() }
        for index in 0..<self.layout.buckets {
            let value = row[Layout.bucket(index, cold)].exchange(0, ordering: .relaxed)
            guard value > 0 else { continue }
            reading.buckets[index] &+= value
            row[Layout.bucket(index, hot)].wrappingAdd(value, ordering: .relaxed)
        }
        let sum = Double(bitPattern: row[Layout.sum(cold)].exchange(0, ordering: .relaxed))
        reading.sum += sum
        row[Layout.sum(hot)].add(sum)
        row[Layout.done(cold)].store(0, ordering: .relaxed)
        row[Layout.done(hot)].wrappingAdd(count, ordering: .releasing)
    }
}
