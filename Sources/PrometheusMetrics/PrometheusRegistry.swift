import WasmnetNet
import Foundation

/// The metrics of a process, and their exposition.
///
/// Creating a series takes a lock; counting in one takes none, and a scrape holds the lock only while it copies the list of series.
package final class PrometheusRegistry: Sendable {
    private let catalog: Guarded<Catalog>
    private let defaultBuckets: Buckets
    private let shards: Int
    private let discards = Discards()

    /// - Parameters:
    ///   - descriptions: help, unit and buckets of the metrics known in advance.
    ///   - defaultBuckets: of every histogram without its own. Default: 1 ms to 10 s.
    ///   - shards: rows for threads that count at once. Default: twice the processors, 2 to 16.
    /// - Throws: if a description's name, unit or order cannot be exposed.
    package init(
        describing descriptions: [MetricDescription] = [], defaultBuckets: Buckets = .seconds,
        limits: SeriesLimits = SeriesLimits(), shards: Int? = nil
    ) throws(MetricDescriptionError) {
        var described: [MetricName: MetricDescription] = [:]
        for description in descriptions {
            let name = try Self.name(of: description)
            guard described.updateValue(description, forKey: name) == nil else {
                throw MetricDescriptionError("\(description.name) is described twice")
            }
        }
        let catalog = Catalog(limits: limits, descriptions: described, ownNames: OwnMetrics.names)
        self.catalog = Guarded(catalog)
        self.defaultBuckets = defaultBuckets
        let processors = ProcessInfo.processInfo.activeProcessorCount
        self.shards = max(1, shards ?? min(max(2 * processors, 2), 16))
    }

    private static func name(of description: MetricDescription) throws(MetricDescriptionError) -> MetricName {
        guard let name = MetricName(description.name, kind: description.kind) else {
            throw MetricDescriptionError("\(description.name) is not a metric's name")
        }
        guard description.kind != .counter || name.sample == description.name else {
            throw MetricDescriptionError("\(description.name) is a counter: its name ends with _total")
        }
        if let unit = description.unit {
            guard MetricName.isValid(unit), !unit.contains(":"), name.family.hasSuffix("_" + unit) else {
                throw MetricDescriptionError("\(description.name) does not end with its unit, \(unit)")
            }
        }
        guard description.kind == .histogram || description.buckets == nil else {
            throw MetricDescriptionError("\(description.name) is not a histogram and has no buckets")
        }
        return name
    }

    /// The number of series, a histogram counted as one.
    package var seriesCount: Int { self.catalog.withLock { $0.seriesCount } }

    /// A gauge whose value is read at each scrape, on the scraping thread.
    ///
    /// - Parameters:
    ///   - read: must be quick and not block; nil omits the sample from this scrape.
    /// - Returns: false if the name or the labels are refused, or exist already.
    @discardableResult
    package func addGauge(
        _ name: String, labels: [(String, String)] = [], read: @escaping @Sendable () -> Double?
    ) -> Bool {
        self.add(MetricName(name, kind: .gauge), labels, read)
    }

    /// A counter whose value is read at each scrape; like ``addGauge(_:labels:read:)``. A value below 0 is omitted.
    @discardableResult
    package func addCounter(
        _ name: String, labels: [(String, String)] = [], read: @escaping @Sendable () -> Double?
    ) -> Bool {
        self.add(MetricName(name, kind: .counter), labels) { read().flatMap { $0 >= 0 ? $0 : nil } }
    }

    private func add(
        _ name: MetricName?, _ labels: [(String, String)], _ read: @escaping @Sendable () -> Double?
    ) -> Bool {
        var isNew = false
        let labels = LabelSet(labels)
        _ = self.catalog.withLock { catalog in
            catalog.series(name, labels) {
                isNew = true
                return .callback(read)
            }
        }
        return isNew
    }

    /// The complete exposition, in the order of names and labels.
    package func exposition(_ format: ExpositionFormat) -> [UInt8] {
        let (families, refusals) = self.catalog.withLock { $0.snapshot() }
        var writer = ExpositionWriter(format)
        for family in OwnMetrics.merged(into: families, refusals: refusals, discards: self.discards) {
            writer.append(family)
        }
        return writer.finish()
    }

    /// The series of a name, in the order of their labels.
    func series(named name: String) -> [Series] {
        self.catalog.withLock { $0.series(named: name) }
    }

    func counter(_ name: MetricName?, _ labels: [(String, String)]) -> CounterSeries? {
        let cell = self.series(name, LabelSet(labels)) { _ in
            .counter(CounterSeries(shards: self.shards, discards: self.discards))
        }
        guard case .counter(let series) = cell else { return nil }
        return series
    }

    func gauge(_ name: MetricName?, _ labels: [(String, String)]) -> GaugeSeries? {
        let cell = self.series(name, LabelSet(labels)) { _ in .gauge(GaugeSeries()) }
        guard case .gauge(let series) = cell else { return nil }
        return series
    }

    func histogram(_ name: MetricName?, _ labels: [(String, String)]) -> HistogramSeries? {
        let cell = self.series(name, LabelSet(labels, reserved: "le")) { description in
            let buckets = description?.buckets ?? self.defaultBuckets
            return .histogram(HistogramSeries(buckets: buckets, shards: self.shards, discards: self.discards))
        }
        guard case .histogram(let series) = cell else { return nil }
        return series
    }

    private func series(
        _ name: MetricName?, _ labels: LabelSet?, make: (MetricDescription?) -> SeriesCell
    ) -> SeriesCell? {
        self.catalog.withLock { catalog in
            let description = name.flatMap { catalog.description(of: $0) }
            return catalog.series(name, labels) { make(description) }
        }
    }
}
