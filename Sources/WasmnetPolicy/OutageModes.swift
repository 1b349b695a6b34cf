/// How a limit works while Redis, where the cluster counts it, is out of reach.
public enum OutageMode: String, CaseIterable, Sendable {
    /// A client keeps what it has on a node; for new things the node uses its share of the room last reported. Any excess
    /// ends after the outage.
    case `static`
    /// No limit.
    case open
    /// Nothing new.
    case closed
    /// As ``closed``; and what a node holds ends with its lease, so that the limit holds under any network partition. For
    /// `max_sessions` and `max_connections` only.
    case fence
}

/// The mode of each limit. Default ``OutageMode/static``.
public struct OutageModes: Sendable, Hashable {
    /// For `max_sessions`.
    public var sessions = OutageMode.static
    /// For `max_connections`.
    public var sockets = OutageMode.static
    /// For `connects_per_sec`.
    public var connects = OutageMode.static
    /// For `resolves_per_sec`.
    public var resolves = OutageMode.static
    /// For `max_bandwidth_mbps`.
    public var bandwidth = OutageMode.static
    /// For `bytes_per_day`.
    public var dayBytes = OutageMode.static

    /// Whether sockets beyond a limit stay after an outage, and only new ones are refused until the client is below it. Default false: the
    /// newest end.
    public var keepsExcess = false

    /// The defaults.
    public init() {}

    /// One mode for all; limits that do not support ``OutageMode/fence`` get ``OutageMode/closed`` instead.
    public init(all mode: OutageMode) {
        self.sessions = mode
        self.sockets = mode
        let other = mode == .fence ? .closed : mode
        self.connects = other
        self.resolves = other
        self.bandwidth = other
        self.dayBytes = other
    }
}
