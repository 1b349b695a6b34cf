/// A node at one moment, for a live view: present gauges and counters since the start, by names that the node chooses.
package struct NodeSnapshot: Sendable, Hashable, Encodable {
    /// One node of the cluster.
    package struct Node: Sendable, Hashable, Codable {
        package var name: String
        package var sessions: Int
        package var sockets: Int
        package var denylistVersion: UInt64
        package var isDraining: Bool

        package init(name: String, sessions: Int, sockets: Int, denylistVersion: UInt64, isDraining: Bool) {
            self.name = name
            self.sessions = sessions
            self.sockets = sockets
            self.denylistVersion = denylistVersion
            self.isDraining = isDraining
        }
    }

    /// Milliseconds since 1970 (UTC).
    package var time: Int64
    package var node: String
    /// `sessions`, `sockets`, `denylist_age_seconds`, …
    package var gauges: [String: Double]
    /// `bytes_up`, `bytes_down`, `opens`, …
    package var counters: [String: UInt64]
    /// Counters grouped by reason or outcome: `denials` by reason, `closes` by reason.
    package var groups: [String: [String: UInt64]]
    /// Seconds by quantile, such as `dial_seconds` by `0.5`, `0.99`.
    package var quantiles: [String: [String: Double]]
    package var nodes: [Node]

    package init(
        time: Int64, node: String, gauges: [String: Double] = [:], counters: [String: UInt64] = [:],
        groups: [String: [String: UInt64]] = [:], quantiles: [String: [String: Double]] = [:], nodes: [Node] = []
    ) {
        self.time = time
        self.node = node
        self.gauges = gauges
        self.counters = counters
        self.groups = groups
        self.quantiles = quantiles
        self.nodes = nodes
    }
}
