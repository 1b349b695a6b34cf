/// The identity of a handler's series.
struct SeriesKey: Sendable, Hashable {
    let name: MetricName
    let labels: LabelSet
}

/// Why a series was not created. The program continues with a handler that does nothing.
enum SeriesRefusal: String, Sendable, CaseIterable {
    case invalidName = "invalid_name"
    case invalidLabel = "invalid_label"
    /// The name, or one derived from it, belongs to a metric of another kind.
    case nameTaken = "name_taken"
    case seriesLimit = "series_limit"
    case metricLimit = "metric_limit"
}

/// The source of a series' values.
enum SeriesCell: Sendable {
    case counter(CounterSeries)
    case gauge(GaugeSeries)
    case histogram(HistogramSeries)
    /// Read at each scrape; nil leaves the sample out.
    case callback(@Sendable () -> Double?)
    /// Known when the scrape began.
    case constant(UInt64)
}

struct Series: Sendable {
    let labels: LabelSet
    let cell: SeriesCell
}

/// All series of one name.
struct Family: Sendable {
    let name: MetricName
    var help: String?
    var unit: String?
    /// In the order of their labels.
    var series: [Series] = []

    mutating func insert(_ new: Series) {
        let (index, found) = self.position(of: new.labels)
        if !found { self.series.insert(new, at: index) }
    }

    private func position(of labels: LabelSet) -> (index: Int, found: Bool) {
        var low = 0
        var high = self.series.count
        while low < high {
            let middle = (low + high) / 2
            if self.series[middle].labels < labels { low = middle + 1 } else { high = middle }
        }
        return (low, low < self.series.count && self.series[low].labels == labels)
    }
}

/// All metrics: the existing names and series, and the refused ones. A value; the registry guards it.
struct Catalog {
    struct Refused: Hashable {
        /// The metric's name if it exists, else nil: a refused name must not become a label value.
        let metric: String?
        let reason: SeriesRefusal
    }

    let limits: SeriesLimits
    private let descriptions: [MetricName: MetricDescription]

    private var families: [String: Family] = [:]
    private var cells: [SeriesKey: SeriesCell] = [:]
    /// The metric that owns each reserved name.
    private var owners: [String: String] = [:]
    private var refusals: [Refused: UInt64] = [:]
    /// The families sorted by name, cached until one changes.
    private var sorted: [Family]?

    init(limits: SeriesLimits, descriptions: [MetricName: MetricDescription], ownNames: [MetricName]) {
        self.limits = limits
        self.descriptions = descriptions
        for name in ownNames {
            for reserved in name.reserved { self.owners[reserved] = name.family }
        }
    }

    func description(of name: MetricName) -> MetricDescription? { self.descriptions[name] }

    /// The series of that name and labels, created if there is none yet.
    ///
    /// - Parameters:
    ///   - name: nil: it is not legal.
    ///   - labels: nil: they are not legal.
    /// - Returns: nil if it is refused, which is counted.
    mutating func series(_ name: MetricName?, _ labels: LabelSet?, make: () -> SeriesCell) -> SeriesCell? {
        guard let name else { return self.refuse(nil, .invalidName) }
        let metric = self.families[name.family].map(\.name.family)
        guard let labels else { return self.refuse(metric, .invalidLabel) }
        let key = SeriesKey(name: name, labels: labels)
        if let cell = self.cells[key] { return cell }
        if let refusal = self.refusal(of: name) { return self.refuse(metric, refusal) }
        let cell = make()
        self.insert(key, cell)
        return cell
    }

    private func refusal(of name: MetricName) -> SeriesRefusal? {
        if let known = self.families[name.family] {
            if known.name.kind != name.kind { return .nameTaken }
            return known.series.count < self.limits.seriesPerMetric ? nil : .seriesLimit
        }
        if name.reserved.contains(where: { self.owners[$0] != nil }) { return .nameTaken }
        if self.families.count >= self.limits.metrics { return .metricLimit }
        return self.limits.seriesPerMetric > 0 ? nil : .seriesLimit
    }

    private mutating func insert(_ key: SeriesKey, _ cell: SeriesCell) {
        self.cells[key] = cell
        let new = self.family(key.name)
        self.families[key.name.family, default: new].insert(Series(labels: key.labels, cell: cell))
        for reserved in key.name.reserved { self.owners[reserved] = key.name.family }
        self.sorted = nil
    }

    private func family(_ name: MetricName) -> Family {
        let description = self.descriptions[name]
        return Family(name: name, help: description?.help, unit: description?.unit)
    }

    private mutating func refuse(_ metric: String?, _ reason: SeriesRefusal) -> SeriesCell? {
        self.refusals[Refused(metric: metric, reason: reason), default: 0] += 1
        return nil
    }

    /// The data of a scrape, by name; the arrays are shared, not copied.
    mutating func snapshot() -> (families: [Family], refusals: [Refused: UInt64]) {
        if let sorted { return (sorted, self.refusals) }
        let sorted = self.families.values.sorted { left, right in
            left.name.family.utf8.lexicographicallyPrecedes(right.name.family.utf8)
        }
        self.sorted = sorted
        return (sorted, self.refusals)
    }

    var seriesCount: Int { self.cells.count }

    /// - Parameter name: of the samples: a counter's with `_total`.
    func series(named name: String) -> [Series] {
        let family = self.families[name] ?? MetricName(name, kind: .counter).flatMap { self.families[$0.family] }
        return family?.series ?? []
    }
}

/// Limits of a registry; beyond them a new series is refused and counted.
package struct SeriesLimits: Sendable, Hashable {
    /// Series of one metric. Default: 1,000.
    package var seriesPerMetric: Int
    /// Metrics by name. Default: 1,000.
    package var metrics: Int

    package init(seriesPerMetric: Int = 1_000, metrics: Int = 1_000) {
        self.seriesPerMetric = seriesPerMetric
        self.metrics = metrics
    }
}
