package import NIOCore
import WasmnetCluster

/// Where the cluster's limits are counted, so that they hold for all nodes together.
public struct RedisOptions: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// `redis://[user][:password@]host[:port][/database]`, `rediss://…` (TLS), `redis+unix:///path`, `redis+sentinel://host,host/master`
    /// or `redis+cluster://host,host`.
    public var url: String
    /// PEM files with authorities that are trusted for `rediss` beside the system's. None by default.
    public var authorities: [String] = []
    /// Whether the node starts, and serves by the policy's `redis_failure`, while Redis is out of reach. Default false.
    public var isOptional = false
    /// How long one answer may take.
    package var commandDeadline = TimeAmount.milliseconds(50)
    /// How often the node tells the others that it lives.
    package var nodeHeartbeat = NodeRegistry.heartbeat

    /// Names the server.
    public init(url: String) {
        self.url = url
    }

    /// Without the URL, which may hold a password.
    public var description: String { "RedisOptions" }
    /// Without the URL, which may hold a password.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection()) }
}
