public import Logging
public import WasmnetPolicy
public import WasmnetRelay

/// Everything a ``Server`` is made from: a plain value.
public struct ServerConfiguration: Sendable {
    /// The address to listen on: an IP literal or a name. Default `127.0.0.1`.
    public var host = "127.0.0.1"
    /// The TCP port to listen on; 0 lets the system choose, see ``Server/listen(onListening:)``. Default 9000.
    public var port = 9000
    /// What clients may reach, and how much of it. Default ``WasmnetPolicy/Policy/default``.
    public var policy = Policy.default
    /// Event loop threads; 0 means one for each core. Default 0.
    public var threads = 0
    /// Seconds that live sockets get after a graceful shutdown began. Default 30.
    public var drainTimeoutSeconds: Double = 30
    /// PEM files with authorities that `connect_tls` trusts beside the system's. None by default.
    public var extraAuthorities: [String] = []
    /// Certificate chain and key (PEM files) to serve `wss://` with. None by default: `ws://`.
    public var tls: TLSFiles?
    /// By which files the server tells clients' tokens. None by default: no token is looked at.
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
    /// Who looks names up; nil is the machine's own resolver.
    package var resolver: (any NameResolver)?
    /// The time; nil is the machine's.
    package var clock: (any RelayClock)?

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

    /// What tokens are held against, as paths of files that are read when the server is made.
    ///
    /// A JWT must be signed with HS256, ES256 or EdDSA by one of the keys, and have `sub` (the client) and `exp`; it may have `nbf`, `tier` (one
    /// of the policy's) and `allow` (the only destinations, as the policy's entries).
    public struct TokenFiles: Sendable, Equatable {
        /// Tokens by their hashes: on each line the SHA-256 in hexadecimal, the client's name, and a tier or none; `#` begins a comment.
        public var tokenFile: String?
        /// Keys for JWTs: a public key in PEM, or a secret of at least 32 bytes as `HS256:PATH`.
        public var jwtKeyFiles: [String] = []
        /// A JSON Web Key Set (RFC 7517) with keys for JWTs.
        public var jwksFile: String?
        /// What `iss` of a JWT must be; nil takes any.
        public var issuer: String?
        /// What must be among `aud` of a JWT; nil takes any.
        public var audience: String?

        /// No files.
        public init() {}

        /// Whether any file is named, so that tokens are looked at.
        public var isEmpty: Bool { self.tokenFile == nil && self.jwtKeyFiles.isEmpty && self.jwksFile == nil }
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

/// What is wrong with a configuration, in words, so that the server could not be made.
public struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// One sentence that says what to change.
    public let description: String

    package init(_ description: String) {
        self.description = description
    }
}
