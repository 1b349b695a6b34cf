import WasmnetNet
import CoreMetrics

/// A distribution: how many values fell in each bucket, and their sum.
///
/// A scrape sees each recorded value completely or not at all, in buckets, sum and count alike. Each thread records in its own row, so that
/// only a scrape, which holds it briefly, ever contends for the row's lock.
final class HistogramSeries: RecorderHandler, TimerHandler {
    struct Reading: Hashable {
        /// One more than there are bounds; not cumulative.
        var buckets: [UInt64]
        var sum = 0.0

        var count: UInt64 { self.buckets.reduce(0, &+) }
    }

    let buckets: Buckets
    private let rows: [Guarded<Reading>]
    private let discards: Discards

    init(buckets: Buckets, shards: Int, discards: Discards) {
        self.buckets = buckets
        self.rows = (0..<shards).map { _ in Guarded(Self.empty(buckets)) }
        self.discards = discards
    }

    func record(_ value: Int64) { self.record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return self.discards.count(.notFinite) }
        let bucket = self.buckets.index(of: value)
        self.rows[ThreadNumber.current % self.rows.count].withLock { row in
            row.buckets[bucket] &+= 1
            row.sum += value
        }
    }

    /// Recorded in seconds.
    func recordNanoseconds(_ duration: Int64) {
        guard duration >= 0 else { return self.discards.count(.negative) }
        self.record(Double(duration) / 1e9)
    }

    func read() -> Reading {
        var reading = Self.empty(self.buckets)
        for row in self.rows {
            row.withLock { row in
                for index in row.buckets.indices { reading.buckets[index] &+= row.buckets[index] }
                reading.sum += row.sum
            }
        }
        return reading
    }

    private static func empty(_ buckets: Buckets) -> Reading {
        Reading(buckets: Array(repeating: 0, count: buckets.bounds.count + 1))
    }
}
