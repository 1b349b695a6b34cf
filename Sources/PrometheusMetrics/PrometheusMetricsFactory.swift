package import CoreMetrics

/// A backend for swift-metrics: its counters, meters, recorders and timers become series of a registry, for as long as it lives.
///
/// A counter's label gets `_total` if it is missing. A timer and a recorder that aggregates are histograms, a meter and any other recorder
/// gauges. What the registry refuses becomes a handler that does nothing, and is counted.
package struct PrometheusMetricsFactory: MetricsFactory {
    private let registry: PrometheusRegistry

    package init(_ registry: PrometheusRegistry) { self.registry = registry }

    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.registry.counter(MetricName(label, kind: .counter), dimensions) ?? NOOPMetricsHandler.instance
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.registry.gauge(MetricName(label, kind: .gauge), dimensions) ?? NOOPMetricsHandler.instance
    }

    package func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate {
            self.registry.histogram(MetricName(label, kind: .histogram), dimensions) ?? NOOPMetricsHandler.instance
        } else {
            self.registry.gauge(MetricName(label, kind: .gauge), dimensions) ?? NOOPMetricsHandler.instance
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        self.registry.histogram(MetricName(label, kind: .histogram), dimensions) ?? NOOPMetricsHandler.instance
    }

    // A node's metrics exist from its start to its end.
    package func destroyCounter(_ handler: any CounterHandler) {}
    package func destroyMeter(_ handler: any MeterHandler) {}
    package func destroyRecorder(_ handler: any RecorderHandler) {}
    package func destroyTimer(_ handler: any TimerHandler) {}
}
