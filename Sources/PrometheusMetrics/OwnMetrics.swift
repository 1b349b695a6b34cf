/// The backend's metrics about itself: what it refused and discarded.
enum OwnMetrics {
    private static let refused = "metrics_refused_series"
    private static let discarded = "metrics_discarded_samples"

    static var names: [MetricName] { [Self.refused, Self.discarded].compactMap { MetricName($0, kind: .counter) } }

    /// The families and our own, by name.
    static func merged(
        into families: [Family], refusals: [Catalog.Refused: UInt64], discards: Discards
    ) -> [Family] {
        let own = [
            Self.family(
                Self.discarded,
                help: "Samples that were rejected: negative for a counter or a duration, or not finite.",
                Discards.Reason.allCases.map { ([("reason", $0.rawValue)], discards.value($0)) }),
            Self.family(
                Self.refused,
                help: "Times a requested series was not created, by metric (empty: unknown metric) and reason.",
                SeriesRefusal.allCases.filter { reason in !refusals.keys.contains { $0.reason == reason } }
                    .map { ([("reason", $0.rawValue)], 0) }
                    + refusals.map { ([("metric", $0.metric ?? ""), ("reason", $0.reason.rawValue)], $1) }),
        ].compactMap { $0 }
        return (families + own).sorted { $0.name.family.utf8.lexicographicallyPrecedes($1.name.family.utf8) }
    }

    private static func family(_ name: String, help: String, _ values: [([(String, String)], UInt64)]) -> Family? {
        guard let name = MetricName(name, kind: .counter) else { return nil }
        let series = values.compactMap { labels, value in
            LabelSet(labels).map { Series(labels: $0, cell: .constant(value)) }
        }
        return Family(name: name, help: help, series: series.sorted { $0.labels < $1.labels })
    }
}
