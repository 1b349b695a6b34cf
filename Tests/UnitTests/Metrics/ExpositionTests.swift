import CoreMetrics
import PrometheusMetrics
import Testing

/// The text, byte by byte.
@Suite struct ExpositionTests {
    static func registry(
        _ descriptions: [MetricDescription] = [], limits: SeriesLimits = SeriesLimits()
    ) throws -> (PrometheusRegistry, PrometheusMetricsFactory) {
        let registry = try PrometheusRegistry(describing: descriptions, limits: limits, shards: 2)
        return (registry, PrometheusMetricsFactory(registry))
    }

    static func text(_ registry: PrometheusRegistry, _ format: ExpositionFormat = .text) -> String {
        String(decoding: registry.exposition(format), as: UTF8.self)
    }

    /// Without the backend's own metrics.
    static func lines(_ registry: PrometheusRegistry, _ format: ExpositionFormat = .text) -> [String] {
        self.text(registry, format).split(separator: "\n").map(String.init).filter { !$0.contains("metrics_") }
    }

    private func sample() throws -> PrometheusRegistry {
        let (registry, factory) = try Self.registry([
            MetricDescription("jobs_total", .counter, help: "Jobs \"done\",\nby \\kind."),
            MetricDescription("sent_bytes_total", .counter, help: "Bytes sent.", unit: "bytes"),
            MetricDescription("queue_length", .gauge, help: "Jobs waiting."),
            MetricDescription(
                "job_duration_seconds", .histogram, help: "How long a job takes.", unit: "seconds",
                buckets: try Buckets([0.25, 1, 5])),
        ])
        Counter(label: "jobs", dimensions: [("kind", "b"), ("a", "x")], factory: factory).increment(by: 3)
        Counter(label: "jobs_total", dimensions: [("kind", "a\"\\\n")], factory: factory).increment()
        Counter(label: "sent_bytes_total", factory: factory).increment(by: 15)
        Meter(label: "queue_length", factory: factory).set(-2)
        let timer = Timer(label: "job_duration_seconds", dimensions: [("kind", "a")], factory: factory)
        for nanoseconds: Int64 in [250_000_000, 250_000_001, 2_000_000_000, 9_000_000_000] {
            timer.recordNanoseconds(nanoseconds)
        }
        registry.addGauge("temperature", labels: [("room", "cellar")]) { 11.25 }
        registry.addGauge("absent") { nil }
        return registry
    }

    @Test func theTextFormatIsInOrder() throws {
        let registry = try sample()
        #expect(
            Self.text(registry) == #"""
                # TYPE absent gauge
                # HELP job_duration_seconds How long a job takes.
                # TYPE job_duration_seconds histogram
                job_duration_seconds_bucket{kind="a",le="0.25"} 1
                job_duration_seconds_bucket{kind="a",le="1"} 2
                job_duration_seconds_bucket{kind="a",le="5"} 3
                job_duration_seconds_bucket{kind="a",le="+Inf"} 4
                job_duration_seconds_sum{kind="a"} 11.500000001
                job_duration_seconds_count{kind="a"} 4
                # HELP jobs_total Jobs "done",\nby \\kind.
                # TYPE jobs_total counter
                jobs_total{a="x",kind="b"} 3
                jobs_total{kind="a\"\\\n"} 1
                # HELP metrics_discarded_samples_total Samples that were rejected: negative for a counter or a duration, or not finite.
                # TYPE metrics_discarded_samples_total counter
                metrics_discarded_samples_total{reason="negative"} 0
                metrics_discarded_samples_total{reason="not_finite"} 0
                # HELP metrics_refused_series_total Times a requested series was not created, by metric (empty: unknown metric) and reason.
                # TYPE metrics_refused_series_total counter
                metrics_refused_series_total{reason="invalid_label"} 0
                metrics_refused_series_total{reason="invalid_name"} 0
                metrics_refused_series_total{reason="metric_limit"} 0
                metrics_refused_series_total{reason="name_taken"} 0
                metrics_refused_series_total{reason="series_limit"} 0
                # HELP queue_length Jobs waiting.
                # TYPE queue_length gauge
                queue_length -2
                # HELP sent_bytes_total Bytes sent.
                # TYPE sent_bytes_total counter
                sent_bytes_total 15
                # TYPE temperature gauge
                temperature{room="cellar"} 11.25

                """#)
    }

    @Test func openMetricsIsInOrder() throws {
        let registry = try sample()
        #expect(
            Self.lines(registry, .openMetrics).joined(separator: "\n") == #"""
                # TYPE absent gauge
                # HELP job_duration_seconds How long a job takes.
                # TYPE job_duration_seconds histogram
                # UNIT job_duration_seconds seconds
                job_duration_seconds_bucket{kind="a",le="0.25"} 1
                job_duration_seconds_bucket{kind="a",le="1.0"} 2
                job_duration_seconds_bucket{kind="a",le="5.0"} 3
                job_duration_seconds_bucket{kind="a",le="+Inf"} 4
                job_duration_seconds_sum{kind="a"} 11.500000001
                job_duration_seconds_count{kind="a"} 4
                # HELP jobs Jobs \"done\",\nby \\kind.
                # TYPE jobs counter
                jobs_total{a="x",kind="b"} 3
                jobs_total{kind="a\"\\\n"} 1
                # HELP queue_length Jobs waiting.
                # TYPE queue_length gauge
                queue_length -2
                # HELP sent_bytes Bytes sent.
                # TYPE sent_bytes counter
                # UNIT sent_bytes bytes
                sent_bytes_total 15
                # TYPE temperature gauge
                temperature{room="cellar"} 11.25
                # EOF
                """#)
    }

    @Test(arguments: [
        (0.0, "0"), (-0.0, "-0"), (1e15, "1000000000000000"), (0.00001, "1e-05"), (.infinity, "+Inf"),
        (-.infinity, "-Inf"),
        (.nan, "NaN"), (0.1, "0.1"), (-12.5, "-12.5"), (1e300, "1e+300"),
    ])
    func numbersAsPrometheusReadsThem(value: Double, written: String) throws {
        let (registry, _) = try Self.registry()
        registry.addGauge("g") { value }
        #expect(Self.lines(registry) == ["# TYPE g gauge", "g \(written)"])
    }

    @Test func wholeCountsStayExactBeyondADoublesDigits() throws {
        let (registry, factory) = try Self.registry()
        let counter = Counter(label: "c", factory: factory)
        counter.increment(by: 9_007_199_254_740_993)
        counter.increment(by: Int64.max)
        #expect(Self.lines(registry).last == "c_total 9232379236109516800")
    }

    @Test func theSameSeriesAgainIsTheSameNumberWhateverBecomesOfItsHandles() throws {
        let (registry, factory) = try Self.registry()
        let first = Counter(label: "c", dimensions: [("a", "1"), ("b", "2")], factory: factory)
        let second = Counter(label: "c_total", dimensions: [("b", "2"), ("a", "1")], factory: factory)
        first.increment()
        second.increment()
        #expect(Self.lines(registry).last == #"c_total{a="1",b="2"} 2"#)
        #expect(registry.seriesCount == 1)
        first.destroy()
        #expect(Self.lines(registry).last == #"c_total{a="1",b="2"} 2"#)
        second.destroy()
        #expect(Self.lines(registry).last == #"c_total{a="1",b="2"} 2"#)
    }

    @Test func aResetCounterAMovedMeterARecorderThatAggregates() throws {
        let (registry, factory) = try Self.registry()
        let counter = Counter(label: "c", factory: factory)
        counter.increment(by: 5)
        counter.reset()
        counter.increment(by: 2)
        let meter = Meter(label: "m", factory: factory)
        meter.increment(by: 2.5)
        meter.decrement()
        Gauge(label: "r", factory: factory).record(4)
        Recorder(label: "s", factory: factory).record(0.002)
        let lines = Self.lines(registry)
        #expect(lines.contains("c_total 2"))
        #expect(lines.contains("m 1.5"))
        #expect(lines.contains("r 4"))
        #expect(lines.contains(#"s_bucket{le="0.001"} 0"#))
        #expect(lines.contains(#"s_bucket{le="0.0025"} 1"#))
        #expect(lines.last == "s_count 1")
    }
}
