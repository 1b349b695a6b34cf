extension PrometheusRegistry {
    /// The present value of a counter or a gauge.
    package struct Value: Sendable, Hashable {
        /// By name, in no order.
        package let labels: [String: String]
        package let value: Double
    }

    /// The present state of a histogram.
    package struct Distribution: Sendable, Hashable {
        /// Upper bounds, ascending; the last bucket has none.
        package let bounds: [Double]
        /// Values in each bucket, not cumulative; one more than there are bounds.
        package let counts: [UInt64]

        /// The increase since an earlier reading of the same histogram.
        package func since(_ earlier: Distribution?) -> Distribution {
            guard let earlier, earlier.bounds == self.bounds else { return self }
            let counts = zip(self.counts, earlier.counts).map { $0 >= $1 ? $0 - $1 : $0 }
            return Distribution(bounds: self.bounds, counts: counts)
        }

        /// The value below which that fraction of all values lies, linear within a bucket like Prometheus' histogram_quantile; nil without
        /// values. Anything beyond the last bound counts as that bound.
        package func quantile(_ part: Double) -> Double? {
            let total = self.counts.reduce(0, +)
            guard total > 0 else { return nil }
            let rank = part * Double(total)
            var below = 0.0
            for (index, count) in self.counts.enumerated() where count > 0 {
                let upTo = below + Double(count)
                guard upTo < rank else {
                    guard index < self.bounds.count else { break }
                    let low = index == 0 ? 0 : self.bounds[index - 1]
                    return low + (self.bounds[index] - low) * (rank - below) / Double(count)
                }
                below = upTo
            }
            return self.bounds.last
        }
    }

    /// Every series of a counter or gauge; empty if there is none of that name.
    ///
    /// - Parameter name: as exposed, a counter's with `_total`.
    package func values(of name: String) -> [Value] {
        self.series(named: name).compactMap { series in
            let labels = series.labels.values
            switch series.cell {
            case .counter(let counter): return Value(labels: labels, value: Double(counter.value))
            case .gauge(let gauge): return Value(labels: labels, value: gauge.value)
            case .callback(let read): return read().map { Value(labels: labels, value: $0) }
            case .constant(let value): return Value(labels: labels, value: Double(value))
            case .histogram: return nil
            }
        }
    }

    /// A histogram without labels; nil if there is none of that name.
    package func distribution(of name: String) -> Distribution? {
        guard case .histogram(let series)? = self.series(named: name).first?.cell else { return nil }
        return Distribution(bounds: series.buckets.bounds, counts: series.read().buckets)
    }
}
