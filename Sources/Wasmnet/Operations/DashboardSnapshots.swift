import WasmnetNet
import Foundation
import PrometheusMetrics
import WasmnetAdmin
import WasmnetCluster

/// The data of the admin API's events each second, from the Prometheus registry.
struct DashboardSnapshots: Sendable {
    let registry: PrometheusRegistry
    let latencies: LatencyWindows
    let lag: LoopLag
    let nodeName: String
    /// The whole cluster's nodes, as far as known; only this one without Redis.
    let nodes: @Sendable () async -> [NodeSnapshot.Node]

    func snapshot() async -> NodeSnapshot {
        let nodes = await self.nodes()
        return NodeSnapshot(
            time: MachineClock.wall().milliseconds, node: self.nodeName, gauges: self.gauges,
            counters: self.counters, groups: self.groups, quantiles: self.latencies.now(), nodes: nodes)
    }

    private var gauges: [String: Double] {
        var gauges: [String: Double] = [:]
        let names = [
            "sessions": MetricNames.sessions, "memory_bytes": "process_resident_memory_bytes",
            "open_files": "process_open_fds", "max_files": "process_max_fds",
            "denylist_version": MetricNames.denylistVersion, "denylist_entries": MetricNames.denylistEntries,
            "denylist_age_seconds": MetricNames.denylistAge, "redis_available": MetricNames.redisAvailable,
            "draining": MetricNames.draining, "policy_generation": MetricNames.policyGeneration,
            "policy_stale": MetricNames.policyStale,
        ]
        for (key, name) in names { gauges[key] = self.registry.values(of: name).first?.value }
        for series in self.registry.values(of: MetricNames.sockets) {
            guard let kind = series.labels["kind"] else { continue }
            gauges["sockets", default: 0] += series.value
            gauges["sockets_\(kind)"] = series.value
        }
        gauges["event_loop_lag_seconds"] = Double(self.lag.takeLargest()) / 1e9
        return gauges
    }

    private var counters: [String: UInt64] {
        func sum(_ name: String, _ holds: ([String: String]) -> Bool = { _ in true }) -> UInt64 {
            UInt64(self.registry.values(of: name).filter { holds($0.labels) }.reduce(0) { $0 + max(0, $1.value) })
        }
        return [
            "bytes_up": sum(MetricNames.bytes) { $0["direction"] == "up" },
            "bytes_down": sum(MetricNames.bytes) { $0["direction"] == "down" },
            "opens": sum(MetricNames.opens), "quota_waits": sum(MetricNames.quotaWaits),
            "cpu_milliseconds": UInt64(
                max(0, self.registry.values(of: "process_cpu_seconds_total").first?.value ?? 0) * 1000),
        ]
    }

    private var groups: [String: [String: UInt64]] {
        func group(_ name: String, by label: String) -> [String: UInt64] {
            var group: [String: UInt64] = [:]
            for series in self.registry.values(of: name) where series.value > 0 {
                if let key = series.labels[label] { group[key, default: 0] += UInt64(series.value) }
            }
            return group
        }
        return [
            "opens": group(MetricNames.opens, by: "outcome"), "denials": group(MetricNames.denials, by: "reason"),
            "closes": group(MetricNames.closes, by: "reason"),
            "refusals": group(MetricNames.quotaRefusals, by: "limit"),
        ]
    }
}

/// The cluster's nodes for live views: queried from Redis at most every few seconds, and only while there are viewers.
final class NodesInView: Sendable {
    private static let interval: Int64 = 5_000_000_000
    private struct State {
        var nodes: [NodeEntry] = []
        var asked: Int64?
    }
    private let registry: NodeRegistry
    private let uptime: @Sendable () -> Int64
    private let state = Guarded(State())

    init(_ registry: NodeRegistry, uptime: @escaping @Sendable () -> Int64) {
        self.registry = registry
        self.uptime = uptime
    }

    func nodes() async -> [NodeEntry] {
        let now = self.uptime()
        let isDue = self.state.withLock { state in
            if let asked = state.asked, now - asked < Self.interval { return false }
            state.asked = now
            return true
        }
        if isDue, let nodes = try? await self.registry.nodes().nodes {
            self.state.withLock { $0.nodes = nodes }
        }
        return self.state.withLock { $0.nodes }
    }
}
