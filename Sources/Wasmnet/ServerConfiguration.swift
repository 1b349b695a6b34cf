public import CoreMetrics
public import Logging
package import Tracing
public import WasmnetPolicy
import WasmnetPolicyFile
public import WasmnetRelay
import WasmnetQuota

/// The complete configuration of a ``Server``: a plain value.
public struct ServerConfiguration: Sendable {
    /// The address to listen on: an IP literal or a name. Default `127.0.0.1`.
    public var host = "127.0.0.1"
    /// The TCP port to listen on; 0 lets the system choose, see ``Server/listen(onListening:)``. Default 9000.
    public var port = 9000
    /// What clients may reach, and how much of it. Default ``WasmnetPolicy/Policy/default``.
    public var policy = Policy.default
    /// The source of ``policy``, so that it can be read again; see ``Server/reloadPolicy()``. None by default.
    public var policyFile: PolicySource?
    /// A policy that is not enforced: its differing decisions are counted and logged. None by default.
    public var shadowPolicyFile: String?
    /// Event loop threads; 0 means one for each core. Default 0.
    public var threads = 0
    /// Seconds for live sockets to finish after a graceful shutdown began. Default 30.
    public var drainTimeoutSeconds: Double = 30
    /// PEM files with authorities that `connect_tls` trusts in addition to the system's. None by default.
    public var extraAuthorities: [String] = []
    /// Certificate chain and key (PEM files) to serve `wss://` with. None by default: `ws://`.
    public var tls: TLSFiles?
    /// The files that clients' tokens are verified with. None by default: tokens are ignored.
    public var tokens = TokenFiles()
    /// Whether connections begin with a PROXY protocol header. Default `off`. Needs `trusted_proxies` in the policy.
    public var proxyProtocol = ProxyProtocolMode.off
    /// Where limits are counted for the whole cluster. None by default: in this process.
    public var redis: RedisOptions?
    /// The node's name in `hello`. Default a random one.
    public var nodeName: String
    /// Limits and timeouts of the data plane.
    public var settings = RelaySettings()
    /// Where the server logs. Default label `wasmnet`.
    public var logger = Logger(label: "wasmnet")
    /// The fraction of sessions whose sockets are logged, 0 to 1. Default 1. Denials are always logged.
    public var accessLogSample = 1.0
    /// How the log's level is read and set while the server runs. None by default: the admin API cannot.
    public var logLevel: LogLevelControl?
    /// The swift-metrics backend of the server; nil is the one that the program has bootstrapped.
    public var metrics: (any MetricsFactory)?
    /// The operator's HTTP server: metrics, health, admin API, dashboard. None by default.
    public var admin: AdminOptions?
    /// The tracer for sessions and sockets; nil is the one that the program has bootstrapped.
    package var tracer: (any Tracer)?
    /// How often the policy's file is checked for a change.
    package var policyWatchInterval = Duration.seconds(2)
    /// A folder with the browser client, served at `/client/` and `/playground/` of the server's port. None by default.
    public var clientDirectory: String?
    /// The resolver; nil is the machine's own.
    package var resolver: (any NameResolver)?
    /// The time; nil is the machine's.
    package var clock: (any RelayClock)?

    /// A policy as a file, and the settings that the program overrides.
    public struct PolicySource: Sendable, Equatable {
        /// Of a TOML file.
        public var path: String
        /// Megabits a second for each client, replacing the file's; nil: the file's. Default nil.
        public var maxBandwidthMbps: Double?

        /// Names the file.
        public init(path: String, maxBandwidthMbps: Double? = nil) {
            self.path = path
            self.maxBandwidthMbps = maxBandwidthMbps
        }

        /// Reads the file.
        ///
        /// - Throws: ``ConfigurationError`` with all errors in it.
        public func load() throws(ConfigurationError) -> Policy {
            if let maxBandwidthMbps { try ServerConfiguration.check(bandwidth: maxBandwidthMbps) }
            do {
                let policy = try PolicyFile.load(path: self.path)
                return self.maxBandwidthMbps.map { policy.limitingBandwidth(megabitsPerSecond: $0) } ?? policy
            } catch {
                throw ConfigurationError("\(error)")
            }
        }
    }

    /// Reads and sets the level of a log.
    public struct LogLevelControl: Sendable {
        let get: @Sendable () -> Logger.Level
        let set: @Sendable (Logger.Level) -> Void

        /// - Parameters:
        ///   - get: the present level.
        ///   - set: puts another in force at once.
        public init(get: @escaping @Sendable () -> Logger.Level, set: @escaping @Sendable (Logger.Level) -> Void) {
            self.get = get
            self.set = set
        }
    }

    /// A certificate chain and its key, as paths of PEM files.
    public struct TLSFiles: Sendable, Equatable {
        /// The chain, the server's own certificate first.
        public var certificate: String
        /// The private key of the first certificate.
        public var key: String

        /// Names the files; they are read when the server starts to listen.
        public init(certificate: String, key: String) {
            self.certificate = certificate
            self.key = key
        }
    }

    /// The files that tokens are verified with, read when the server is created.
    ///
    /// A JWT must be signed with HS256, ES256 or EdDSA by one of the keys, and have `sub` (the client) and `exp`; it may have `nbf`, `tier`
    /// (one of the policy's) and `allow` (the only destinations, as the policy's entries).
    public struct TokenFiles: Sendable, Equatable {
        /// Tokens by their hashes: on each line the SHA-256 in hexadecimal, the client's name, and optionally a tier; `#` begins a comment.
        public var tokenFile: String?
        /// Keys for JWTs: a public key in PEM, or a secret of at least 32 bytes as `HS256:PATH`.
        public var jwtKeyFiles: [String] = []
        /// A JSON Web Key Set (RFC 7517) with keys for JWTs.
        public var jwksFile: String?
        /// The required `iss` of a JWT; nil accepts any.
        public var issuer: String?
        /// A required member of a JWT's `aud`; nil accepts any.
        public var audience: String?

        /// No files.
        public init() {}

        /// Whether no file is named, so that tokens are ignored.
        public var isEmpty: Bool { self.tokenFile == nil && self.jwtKeyFiles.isEmpty && self.jwksFile == nil }
    }

    static func check(bandwidth megabits: Double) throws(ConfigurationError) {
        guard ClientLimits.megabits.contains(megabits) else {
            throw ConfigurationError("max bandwidth is 0 to 1000000 megabits a second, not \(megabits)")
        }
    }

    /// The defaults, with a random node name.
    public init() {
        self.nodeName = NodeName.random()
    }
}

enum NodeName {
    static func random() -> String {
        "n" + String(UInt32.random(in: .min ... .max), radix: 36)
    }
}

/// Why a configuration is invalid, so that the server could not be created.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// One sentence that says what to change.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}
