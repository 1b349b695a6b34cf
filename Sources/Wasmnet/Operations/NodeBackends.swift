import CoreMetrics
import PrometheusMetrics

/// The metrics backends of a node.
enum NodeBackends {
    /// With an admin server its own registry, plus the backend that the configuration names or the program has bootstrapped.
    static func make(
        _ configuration: ServerConfiguration
    ) throws(ConfigurationError) -> (registry: PrometheusRegistry?, factory: any MetricsFactory) {
        let given = configuration.metrics ?? MetricsSystem.factory
        guard configuration.admin != nil else { return (nil, given) }
        do {
            let registry = try PrometheusRegistry(
                describing: MetricNames.descriptions + PrometheusRegistry.processDescriptions)
            registry.addProcessMetrics()
            let own = PrometheusMetricsFactory(registry)
            return (registry, given is NOOPMetricsHandler ? own : MultiplexMetricsHandler(factories: [own, given]))
        } catch {
            throw ConfigurationError("the metrics cannot be exposed: \(error.description)")
        }
    }
}
