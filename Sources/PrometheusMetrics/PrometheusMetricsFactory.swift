package import CoreMetrics

/// A backend for swift-metrics: its counters, meters, recorders and timers become series of a registry.
///
/// A label is made a legal name; a counter's gets `_total`, a timer's `_seconds` where they are missing. A timer and a recorder that
/// aggregates are histograms, a meter and any other recorder gauges. What the registry refuses goes on as a handler that
/// does nothing, and is counted.
package struct PrometheusMetricsFactory: MetricsFactory {
    private let registry: PrometheusRegistry

    package init(_ registry: PrometheusRegistry) { self.registry = registry }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.registry.counter(MetricName(sanitizing: label, kind: .counter), dimensions)
            ?? NOOPMetricsHandler.instance
    }

    package func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.registry.counter(MetricName(sanitizing: label, kind: .counter), dimensions)
            ?? NOOPMetricsHandler.instance
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.registry.gauge(MetricName(sanitizing: label, kind: .gauge), dimensions) ?? NOOPMetricsHandler.instance
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate {
            self.registry.histogram(MetricName(sanitizing: label, kind: .histogram), dimensions)
                ?? NOOPMetricsHandler.instance
        } else {
            self.registry.gauge(MetricName(sanitizing: label, kind: .gauge), dimensions) ?? NOOPMetricsHandler.instance
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = MetricName(sanitizing: label, kind: .histogram, unit: "seconds")
        return self.registry.histogram(name, dimensions) ?? NOOPMetricsHandler.instance
    }

    package func destroyCounter(_ handler: any CounterHandler) { self.release((handler as? CounterSeries)?.key) }

    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {
        self.release((handler as? CounterSeries)?.key)
    }

    package func destroyMeter(_ handler: any MeterHandler) { self.release((handler as? GaugeSeries)?.key) }

    package func destroyRecorder(_ handler: any RecorderHandler) {
        self.release((handler as? GaugeSeries)?.key ?? (handler as? HistogramSeries)?.key)
    }

    package func destroyTimer(_ handler: any TimerHandler) { self.release((handler as? HistogramSeries)?.key) }

    private func release(_ key: SeriesKey?) {
        if let key { self.registry.release(key) }
    }
}
