/// What holds for a limit while Redis, where the cluster counts it, is out of reach.
public enum OutageMode: String, CaseIterable, Sendable {
    /// What a client has on a node it keeps; of what is new the node admits its part of the room that was last heard of. What is too much
    /// ends after the outage.
    case `static`
    /// No limit.
    case open
    /// Nothing new.
    case closed
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

    /// The defaults.
    public init() {}

    /// One mode for all.
    public init(all mode: OutageMode) {
        self.sessions = mode
        self.sockets = mode
        self.connects = mode
        self.resolves = mode
        self.bandwidth = mode
        self.dayBytes = mode
    }
}
