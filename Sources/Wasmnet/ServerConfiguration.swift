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
    /// The node's name in `hello`. Default a random one.
    public var nodeName: String
    /// Limits and timeouts of the data plane.
    public var settings = RelaySettings()
    /// Where the server logs. Default label `wasmnet`.
    public var logger = Logger(label: "wasmnet")
    /// Who looks names up; nil is the machine's own resolver.
    package var resolver: (any NameResolver)?

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
