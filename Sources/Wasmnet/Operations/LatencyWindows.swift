import WasmnetNet
import PrometheusMetrics

/// The latencies of about the last minute, from histograms that count since the start.
final class LatencyWindows: Sendable {
    private static let names = [
        "dial_seconds": MetricNames.dial, "dns_seconds": MetricNames.dns, "tls_seconds": MetricNames.tls,
        "redis_seconds": MetricNames.redis,
    ]
    private static let quantiles: [(String, Double)] = [("0.5", 0.5), ("0.9", 0.9), ("0.99", 0.99)]
    /// Readings kept: one each second.
    private static let length = 60

    private let registry: PrometheusRegistry
    private let readings = Guarded<[String: [PrometheusRegistry.Distribution]]>([:])

    init(_ registry: PrometheusRegistry) { self.registry = registry }

    /// Takes a reading each second, until its task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            for name in Self.names.values {
                guard let reading = self.registry.distribution(of: name) else { continue }
                self.readings.withLock { all in
                    all[name, default: []].append(reading)
                    if all[name, default: []].count > Self.length { all[name]?.removeFirst() }
                }
            }
        }
    }

    /// Seconds by quantile; histograms without recent values are left out.
    func now() -> [String: [String: Double]] {
        var result: [String: [String: Double]] = [:]
        for (key, name) in Self.names {
            let oldest = self.readings.withLock { $0[name]?.first }
            guard let lately = self.registry.distribution(of: name)?.since(oldest) else { continue }
            for (label, part) in Self.quantiles {
                if let value = lately.quantile(part) { result[key, default: [:]][label] = value }
            }
        }
        return result
    }
}
