public import CoreMetrics
public import Logging
public import WasmnetPolicy
public import WasmnetRelay

/// Builds a ``Server`` step by step; anything not set has the default of ``ServerConfiguration``.
///
/// ```swift
/// let server = try Server.builder().host("127.0.0.1").port(9000).policyFile("policy.toml").build()
/// try await server.listen()
/// ```
public struct ServerBuilder: Sendable {
    private var configuration = ServerConfiguration()
    private var bandwidth: Double?

    init() {}

    private func with(_ change: (inout Self) -> Void) -> Self {
        var copy = self
        change(&copy)
        return copy
    }

    /// The address to listen on. Default `127.0.0.1`.
    public func host(_ host: String) -> Self { self.with { $0.configuration.host = host } }

    /// The port to listen on; 0 lets the system choose. Default 9000.
    public func port(_ port: Int) -> Self { self.with { $0.configuration.port = port } }

    /// The policy as a value. Default ``WasmnetPolicy/Policy/default``.
    public func policy(_ policy: Policy) -> Self {
        self.with {
            $0.configuration.policy = policy
            $0.configuration.policyFile = nil
        }
    }

    /// The policy as a TOML file, read by ``build()``.
    public func policyFile(_ path: String) -> Self {
        self.with { $0.configuration.policyFile = .init(path: path) }
    }

    /// No policy at all: everything may be reached, even private addresses. Only for trusted clients.
    public func noPolicy() -> Self { self.policy(.unrestricted) }

    /// Megabits (10^6) a second for each client, both ways together; 0 is unlimited. Overrides the policy's.
    public func maxBandwidthMbps(_ megabits: Double) -> Self { self.with { $0.bandwidth = megabits } }

    /// Event loop threads; 0, the default, is one for each core.
    public func threads(_ count: Int) -> Self { self.with { $0.configuration.threads = count } }

    /// Seconds for live sockets to finish after a graceful shutdown began. Default 30.
    public func drainTimeout(seconds: Double) -> Self { self.with { $0.configuration.drainTimeoutSeconds = seconds } }

    /// PEM files with authorities that `connect_tls` trusts in addition to the system's.
    public func extraAuthorities(_ paths: [String]) -> Self { self.with { $0.configuration.extraAuthorities = paths } }

    /// Certificate chain and key (PEM files) to serve `wss://` with.
    public func tls(certificate: String, key: String) -> Self {
        self.with { $0.configuration.tls = .init(certificate: certificate, key: key) }
    }

    /// The files that clients' tokens are verified with; they are read by ``build()``.
    public func tokens(_ files: ServerConfiguration.TokenFiles) -> Self {
        self.with { $0.configuration.tokens = files }
    }

    /// Whether connections begin with a PROXY protocol header from one of the policy's `trusted_proxies`. Default `off`.
    public func proxyProtocol(_ mode: ProxyProtocolMode) -> Self { self.with { $0.configuration.proxyProtocol = mode } }

    /// Where limits are counted for the whole cluster, such as `redis://localhost`. Without it, in this process.
    public func redis(_ options: RedisOptions) -> Self { self.with { $0.configuration.redis = options } }

    /// The operator's HTTP server, on a separate port: metrics, health, admin API and dashboard. None by default.
    public func admin(_ options: AdminOptions) -> Self { self.with { $0.configuration.admin = options } }

    /// Serves the browser client of a folder at `/client/` and `/playground/` of the server's port.
    public func serveClient(directory: String) -> Self { self.with { $0.configuration.clientDirectory = directory } }

    /// A policy whose decisions are only compared with those of the policy in force, counted and logged.
    public func shadowPolicyFile(_ path: String) -> Self { self.with { $0.configuration.shadowPolicyFile = path } }

    /// The fraction of sessions whose sockets are logged, 0 to 1. Default 1.
    public func accessLog(sample: Double) -> Self { self.with { $0.configuration.accessLogSample = sample } }

    /// The swift-metrics backend of the server. Default the one that the program has bootstrapped.
    public func metrics(_ factory: any MetricsFactory) -> Self { self.with { $0.configuration.metrics = factory } }

    /// Where the server logs.
    public func logger(_ logger: Logger) -> Self { self.with { $0.configuration.logger = logger } }

    /// Creates the server. It does not listen yet.
    ///
    /// - Throws: ``ConfigurationError``, with all errors in the policy file, the certificates or a number.
    public func build() throws -> Server {
        var configuration = self.configuration
        if let bandwidth = self.bandwidth {
            try ServerConfiguration.check(bandwidth: bandwidth)
            configuration.policyFile?.maxBandwidthMbps = bandwidth
            configuration.policy = configuration.policy.limitingBandwidth(megabitsPerSecond: bandwidth)
        }
        if let file = configuration.policyFile { configuration.policy = try file.load() }
        return try Server(configuration: configuration)
    }
}
