import CoreMetrics
import PrometheusMetrics
import Testing

/// Series that are not exposed, and the report of that.
@Suite struct RefusalTests {
    @Test func beyondTheCapSeriesAreDroppedAndCountedAndTheProgramGoesOn() throws {
        let (registry, factory) = try ExpositionTests.registry(limits: SeriesLimits(seriesPerMetric: 3, metrics: 2))
        for client in 0..<10_000 {
            Counter(label: "opens", dimensions: [("client", "\(client)")], factory: factory).increment()
            Timer(label: "dial_seconds", dimensions: [("client", "\(client)")], factory: factory).recordSeconds(1)
        }
        Counter(label: "third", factory: factory).increment()
        #expect(registry.seriesCount == 6)
        let text = ExpositionTests.text(registry)
        #expect(text.contains(#"metrics_refused_series_total{metric="opens",reason="series_limit"} 9997"#))
        #expect(text.contains(#"metrics_refused_series_total{metric="dial_seconds",reason="series_limit"} 9997"#))
        #expect(text.contains(#"metrics_refused_series_total{reason="metric_limit"} 1"#))
        #expect(!text.contains("third"))
        #expect(text.contains(#"opens_total{client="2"} 1"#))
        #expect(!text.contains(#"client="3""#))
        // Existing series still count.
        Counter(label: "opens", dimensions: [("client", "1")], factory: factory).increment()
        #expect(ExpositionTests.text(registry).contains(#"opens_total{client="1"} 2"#))
    }

    @Test(arguments: [
        [("__name__", "x")], [("", "x")], [("a", "1"), ("a", "2")], [("a.b", "1")], [("a:b", "1")], [("9", "1")],
    ])
    func illegalLabelsAreRefused(labels: [(String, String)]) throws {
        let (registry, factory) = try ExpositionTests.registry()
        Counter(label: "c", dimensions: labels, factory: factory).increment()
        #expect(ExpositionTests.lines(registry).isEmpty)
        #expect(ExpositionTests.text(registry).contains(#"metrics_refused_series_total{reason="invalid_label"} 1"#))
    }

    @Test func aHistogramKeepsItsOwnLabel() throws {
        let (registry, factory) = try ExpositionTests.registry()
        Timer(label: "t", dimensions: [("le", "1")], factory: factory).recordSeconds(1)
        #expect(ExpositionTests.lines(registry).isEmpty)
        Counter(label: "c", dimensions: [("le", "1")], factory: factory).increment()
        #expect(ExpositionTests.lines(registry).last == #"c_total{le="1"} 1"#)
    }

    @Test(arguments: ["x", "x_bucket", "x_sum", "x_count", "x_created"])
    func noMetricMayLookLikeAPartOfAnother(name: String) throws {
        let (registry, factory) = try ExpositionTests.registry()
        Recorder(label: "x", factory: factory).record(1)
        let before = ExpositionTests.lines(registry)
        #expect(!registry.addGauge(name) { 1 })
        #expect(ExpositionTests.lines(registry) == before)
        let (other, _) = try ExpositionTests.registry()
        #expect(other.addGauge(name) { 1 })
        Recorder(label: "x", factory: PrometheusMetricsFactory(other)).record(1)
        #expect(ExpositionTests.lines(other) == ["# TYPE \(name) gauge", "\(name) 1"])
    }

    @Test func theBackendsOwnNamesAreItsOwn() throws {
        let (registry, factory) = try ExpositionTests.registry()
        Counter(label: "metrics_refused_series", factory: factory).increment(by: 55)
        #expect(!ExpositionTests.text(registry).contains("55"))
        #expect(ExpositionTests.text(registry).contains(#"{reason="name_taken"} 1"#))
    }

    @Test func illegalNames() throws {
        let (registry, factory) = try ExpositionTests.registry()
        Gauge(label: "lives", dimensions: [("cat_name", "Mö\u{0}w"), ("none", "")], factory: factory).record(9)
        #expect(ExpositionTests.lines(registry).last == "lives{cat_name=\"Mö\u{0}w\"} 9")
        for label in ["", "9.lives é", "9lives"] { Gauge(label: label, factory: factory).record(1) }
        Counter(label: "_total", factory: factory).increment()
        #expect(ExpositionTests.text(registry).contains(#"metrics_refused_series_total{reason="invalid_name"} 4"#))
    }

    @Test func samplesThatNoMetricCanTakeAreCounted() throws {
        let (registry, factory) = try ExpositionTests.registry()
        let counter = Counter(label: "c", factory: factory)
        for amount in [1, -1] { counter.increment(by: amount) }
        let recorder = Recorder(label: "r", factory: factory)
        for value in [0.5, .nan, -.infinity] { recorder.record(value) }
        Timer(label: "t_seconds", factory: factory).recordNanoseconds(-1)
        registry.addCounter("back_total") { -1 }
        let text = ExpositionTests.text(registry)
        #expect(text.contains("\nc_total 1\n"))
        #expect(text.contains("\nr_sum 0.5\n"))
        #expect(text.contains("\nt_seconds_count 0\n"))
        #expect(!text.contains("back_total -1"))
        #expect(text.contains(#"metrics_discarded_samples_total{reason="negative"}"#))
        #expect(text.contains(#"metrics_discarded_samples_total{reason="not_finite"} 2"#))
    }

    @Test(arguments: [
        MetricDescription("no spaces", .gauge, help: ""),
        MetricDescription("opens", .counter, help: ""),
        MetricDescription("dial_seconds", .histogram, help: "", unit: "bytes"),
        MetricDescription("dial_seconds", .gauge, help: "", buckets: .seconds),
    ])
    func aDescriptionThatCannotBeExposedIsRefused(description: MetricDescription) {
        #expect(throws: MetricDescriptionError.self) { _ = try PrometheusRegistry(describing: [description]) }
    }

    @Test(arguments: [[], [1, 1], [2, 1], [.infinity], [.nan], Array(repeating: 0.0, count: 129)])
    func malformedBucketsAreRefused(bounds: [Double]) {
        #expect(throws: MetricDescriptionError.self) { _ = try Buckets(bounds) }
    }
}
