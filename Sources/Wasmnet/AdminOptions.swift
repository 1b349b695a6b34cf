/// The operator's HTTP server: `/metrics`, `/livez`, `/readyz`, `/version`, the admin API under `/v1/` and a dashboard at `/`.
public struct AdminOptions: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// The address to listen on. Default `127.0.0.1`. Any other than loopback needs a ``token``.
    public var host: String
    /// The TCP port; 0 lets the system choose. Default 9100.
    public var port: Int
    /// The token that a request must send as `Authorization: Bearer …`, 16 to 1,024 visible ASCII characters; nil: none, on loopback only.
    public var token: String?
    /// Whether `/metrics` requires the token as well, if there is one. Default true.
    public var metricsNeedToken = true
    /// Whether the node is unready while Redis is not connected or limits follow the policy's `redis_failure`. Default false: it serves, so
    /// it is ready.
    public var readyNeedsRedis = false
    /// Additional names allowed in a `Host` header while it listens on loopback: those of a proxy in front of it.
    public var allowedHosts: [String] = []

    /// The defaults, on loopback.
    public init(host: String = "127.0.0.1", port: Int = 9100, token: String? = nil) {
        self.host = host
        self.port = port
        self.token = token
    }

    /// Without the token.
    public var description: String { "AdminOptions(\(self.host):\(self.port))" }
    /// Without the token.
    public var customMirror: Mirror { Mirror(self, children: ["host": self.host, "port": self.port]) }
}
