package import NIOCore
package import NIOSSL

/// Options and limits of one connection.
package struct RedisConnectionOptions: Sendable {
    package var credentials: RedisCredentials?
    /// The database to select; 0 is a new connection's default.
    package var database: Int
    /// The name the connection shows in `CLIENT LIST`; no spaces or line endings.
    package var clientName: String?
    /// Nil for no TLS.
    package var tls: RedisTLS?
    /// Time for everything from the name's resolution to the reply to the last introductory command. Default 2 s.
    package var connectTimeout: TimeAmount
    /// Time for the reply to a command, from the call on. Default 50 ms.
    package var commandDeadline: TimeAmount
    /// The most commands without a reply; further ones fail with ``RedisError/overloaded(inFlight:)``. Default 4,096.
    package var maxInFlight: Int
    package var limits: RESPLimits
    /// Called, on the event loop, with how long each reply took from its command's submission.
    package var replyObserver: (@Sendable (TimeAmount) -> Void)?
    /// Called with each server before it is connected to, with the address its name resolved to, and with servers named by others:
    /// sentinels, replicas, nodes of a cluster. From any thread, and possibly repeatedly for one server.
    package var serverFound: (@Sendable (RedisEndpoint) -> Void)?

    package init(
        credentials: RedisCredentials? = nil,
        database: Int = 0,
        clientName: String? = nil,
        tls: RedisTLS? = nil,
        connectTimeout: TimeAmount = .seconds(2),
        commandDeadline: TimeAmount = .milliseconds(50),
        maxInFlight: Int = 4096,
        limits: RESPLimits = RESPLimits(),
        replyObserver: (@Sendable (TimeAmount) -> Void)? = nil,
        serverFound: (@Sendable (RedisEndpoint) -> Void)? = nil
    ) {
        self.credentials = credentials
        self.database = database
        self.clientName = clientName
        self.tls = tls
        self.connectTimeout = connectTimeout
        self.commandDeadline = commandDeadline
        self.maxInFlight = maxInFlight
        self.limits = limits
        self.replyObserver = replyObserver
        self.serverFound = serverFound
    }
}

/// TLS to a server; its certificate and its name are verified unless the configuration says otherwise.
package struct RedisTLS: Sendable {
    private let context: NIOSSLContext

    /// - Parameter configuration: trust roots, client certificate and verification; the system's roots by default.
    /// - Throws: an error of NIOSSL when a certificate or key cannot be read.
    package init(configuration: TLSConfiguration = .makeClientConfiguration()) throws {
        context = try NIOSSLContext(configuration: configuration)
    }

    func makeHandler(for endpoint: RedisEndpoint) throws -> NIOSSLClientHandler {
        // Without a name NIOSSL verifies the certificate against the connection's address.
        try NIOSSLClientHandler(context: context, serverHostname: endpoint.tlsName)
    }
}

extension RedisEndpoint {
    /// The host if it is a name; an address must not be sent in SNI (RFC 6066, section 3).
    fileprivate var tlsName: String? {
        guard case .host(let host, _) = self, (try? SocketAddress(ipAddress: host, port: 0)) == nil else { return nil }
        return host
    }
}

/// An introductory command of a connection, and how to read its reply.
struct IntroductionStep: Sendable {
    let command: RedisCommand
    let failure: @Sendable (RESPValue, RedisEndpoint) -> RedisError?
}

extension RedisConnectionOptions {
    /// AUTH first; PING last, since it detects a missing password and a server that is still loading its data.
    var introduction: [IntroductionStep] {
        var steps: [IntroductionStep] = []
        if let credentials {
            let words = [credentials.username, credentials.password].compactMap { $0.map(RedisArgument.string) }
            steps.append(
                IntroductionStep(command: RedisCommand(["AUTH"] + words)) { reply, endpoint in
                    guard let error = reply.serverError else { return nil }
                    // A server that is loading refuses AUTH too, which says nothing about the password.
                    return error.isPassing ? .server(error) : .wrongPassword(endpoint)
                })
        }
        if let clientName {
            steps.append(
                IntroductionStep(command: ["CLIENT", "SETNAME", .string(clientName)], failure: Self.unlessForbidden))
        }
        if database != 0 {
            let database = database
            steps.append(
                IntroductionStep(command: ["SELECT", RedisArgument(database)]) { reply, endpoint in
                    guard let error = reply.serverError, error.code == "ERR" else { return Self.plain(reply, endpoint) }
                    return .wrongDatabase(endpoint, database)
                })
        }
        steps.append(IntroductionStep(command: ["PING"], failure: Self.unlessForbidden))
        return steps
    }

    /// A user may lack the right to a command that nothing depends on; its refusal is acceptable.
    private static let unlessForbidden: @Sendable (RESPValue, RedisEndpoint) -> RedisError? = { reply, endpoint in
        reply.serverError?.code == "NOPERM" ? nil : plain(reply, endpoint)
    }

    private static let plain: @Sendable (RESPValue, RedisEndpoint) -> RedisError? = { reply, endpoint in
        guard let error = reply.serverError else { return nil }
        return error.code == "NOAUTH" ? .wrongPassword(endpoint) : .server(error)
    }
}

extension RedisServerError {
    /// Whether the server says it cannot serve for now, or is not the master: a reason to look for another.
    var isPassing: Bool {
        ["READONLY", "LOADING", "MASTERDOWN"].contains(code)
    }
}
