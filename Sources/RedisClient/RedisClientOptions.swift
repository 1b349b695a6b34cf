package import NIOCore
package import NIOSSL

/// Options of a ``RedisClient`` in addition to its URL.
package struct RedisClientOptions: Sendable {
    /// The name that connections show in `CLIENT LIST`; no spaces or line endings.
    package var clientName: String?
    /// Used when the URL requires TLS. By default certificates are checked against the system's roots.
    package var tlsConfiguration: TLSConfiguration
    /// Time to find, connect to and log in to a server. Default 2 s.
    package var connectTimeout: TimeAmount
    /// Time for the reply to a command, including redirections and a script's second sending. Default 50 ms.
    package var commandDeadline: TimeAmount
    /// The most commands of one connection without a reply. Default 4,096.
    package var maxInFlight: Int
    package var limits: RESPLimits
    /// Waits between attempts to connect. Default full jitter, 50 ms to 1 s.
    package var backoff: Backoff
    /// Random numbers of [0, 1) for the waits.
    package var random: @Sendable () -> Double
    /// Called, on an event loop, when a connection comes up or goes down, and when an attempt fails.
    package var observer: @Sendable (RedisLinkEvent) -> Void
    /// Called, on an event loop, with how long each reply took from its command's submission.
    package var replyObserver: (@Sendable (TimeAmount) -> Void)?
    /// As ``RedisConnectionOptions/serverFound``.
    package var serverFound: (@Sendable (RedisEndpoint) -> Void)?

    package init(
        clientName: String? = nil,
        tlsConfiguration: TLSConfiguration = .makeClientConfiguration(),
        connectTimeout: TimeAmount = .seconds(2),
        commandDeadline: TimeAmount = .milliseconds(50),
        maxInFlight: Int = 4096,
        limits: RESPLimits = RESPLimits(),
        backoff: Backoff = Backoff(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        observer: @escaping @Sendable (RedisLinkEvent) -> Void = { _ in },
        replyObserver: (@Sendable (TimeAmount) -> Void)? = nil,
        serverFound: (@Sendable (RedisEndpoint) -> Void)? = nil
    ) {
        self.clientName = clientName
        self.tlsConfiguration = tlsConfiguration
        self.connectTimeout = connectTimeout
        self.commandDeadline = commandDeadline
        self.maxInFlight = maxInFlight
        self.limits = limits
        self.backoff = backoff
        self.random = random
        self.observer = observer
        self.replyObserver = replyObserver
        self.serverFound = serverFound
    }

    /// The options common to all connections of a URL.
    ///
    /// - Throws: ``RedisError/tls(_:_:)`` when a file of the TLS configuration cannot be used.
    func connection(_ url: RedisURL) throws(RedisError) -> RedisConnectionOptions {
        var tls: RedisTLS?
        if url.usesTLS {
            do {
                tls = try RedisTLS(configuration: tlsConfiguration)
            } catch {
                throw .tls(url.topology.first, "the TLS configuration cannot be used: \(error)")
            }
        }
        return RedisConnectionOptions(
            credentials: url.credentials, database: url.database, clientName: clientName, tls: tls,
            connectTimeout: connectTimeout, commandDeadline: commandDeadline, maxInFlight: maxInFlight,
            limits: limits, replyObserver: replyObserver, serverFound: serverFound)
    }
}

extension RedisURL.Topology {
    /// An endpoint to name in an error.
    fileprivate var first: RedisEndpoint {
        switch self {
        case .single(let endpoint): endpoint
        case .sentinel(let endpoints, _, _), .cluster(let endpoints):
            endpoints.first ?? .host("localhost", port: 6379)
        }
    }
}
