/// The metadata of a metric.
package struct MetricDescription: Sendable, Hashable {
    /// As exposed in the text format: `http_requests_total`, `dial_duration_seconds`.
    package var name: String
    package var kind: MetricKind
    /// One sentence for the operator.
    package var help: String
    /// The base unit, such as `seconds` or `bytes`; the name must end with it (a counter's before `_total`).
    package var unit: String?
    /// A histogram's buckets; nil: those of the registry.
    package var buckets: Buckets?

    package init(_ name: String, _ kind: MetricKind, help: String, unit: String? = nil, buckets: Buckets? = nil) {
        self.name = name
        self.kind = kind
        self.help = help
        self.unit = unit
        self.buckets = buckets
    }
}

/// A description or a list of buckets that cannot be exposed.
package struct MetricDescriptionError: Error, Hashable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// The upper bounds of a histogram's buckets, each inclusive; the unbounded one is implied.
package struct Buckets: Sendable, Hashable {
    /// Finite and ascending.
    package let bounds: [Double]

    /// - Parameter bounds: 1 to 128 finite numbers, each larger than the one before; seconds for timers.
    package init(_ bounds: [Double]) throws(MetricDescriptionError) {
        guard (1...128).contains(bounds.count) else {
            throw MetricDescriptionError("a histogram has 1 to 128 buckets, not \(bounds.count)")
        }
        guard bounds.allSatisfy(\.isFinite) else { throw MetricDescriptionError("a bucket's bound must be finite") }
        guard zip(bounds, bounds.dropFirst()).allSatisfy({ $0 < $1 }) else {
            throw MetricDescriptionError("each bucket's bound must be larger than the one before")
        }
        self.bounds = bounds
    }

    private init(proven bounds: [Double]) { self.bounds = bounds }

    /// From 1 ms to 10 s: network calls.
    package static let seconds = Buckets(
        proven: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10])

    /// From 50 us to 1 s: calls within a data centre, and event loops.
    package static let fineSeconds = Buckets(
        proven: [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1])

    /// The bucket of a value: the first whose bound is not below it; `bounds.count` for the unbounded one.
    func index(of value: Double) -> Int {
        var low = 0
        var high = self.bounds.count
        while low < high {
            let middle = (low + high) / 2
            if self.bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
