package import NIOCore

/// Why a command has no answer. No case contains the password of the URL.
package enum RedisError: Error, Sendable, Equatable {
    /// Nothing listens at the endpoint.
    case connectionRefused(RedisEndpoint)
    /// The endpoint's name does not resolve.
    case dns(RedisEndpoint)
    /// No usable connection within the connect timeout.
    case connectTimeout(RedisEndpoint)
    /// The connection attempt failed otherwise; the text is the system's.
    case connectFailed(RedisEndpoint, String)
    /// The TLS handshake or the check of the certificate failed.
    case tls(RedisEndpoint, String)
    /// The server requires a password and received none, or a wrong one.
    case wrongPassword(RedisEndpoint)
    /// The server has no database of this number.
    case wrongDatabase(RedisEndpoint, Int)
    /// The server answered with an error. The text is its own, and for a malformed command may quote it.
    case server(RedisServerError)
    /// No answer within the command's deadline.
    case deadline(TimeAmount)
    /// The connection ended while the command waited for its answer.
    case connectionLost(RedisEndpoint, String)
    /// What the server sent is not RESP2, or exceeds a limit.
    case protocolViolation(RedisEndpoint, String)
    /// The maximum number of commands is already waiting for answers.
    case overloaded(inFlight: Int)
    /// No connection; the next attempt is due later. The text says why the last one ended.
    case unavailable(String)
    /// No sentinel named a master that confirmed its role.
    case noMaster(String, String)
    /// The cluster could not run the command: slot not served, too many redirections, no node answers.
    case cluster(String)
    /// The client was closed.
    case closed
}

extension RedisError {
    /// Whether a retry may succeed: the server is away or busy, and not misconfigured.
    package var mayPass: Bool {
        switch self {
        case .connectionRefused, .dns, .connectTimeout, .connectFailed, .deadline, .connectionLost, .overloaded,
            .unavailable, .noMaster,
            .cluster, .closed:
            true
        case .server(let error):
            [
                "BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "OOM", "MISCONF", "NOREPLICAS",
            ].contains(error.code)
        case .tls, .wrongPassword, .wrongDatabase, .protocolViolation: false
        }
    }

    /// Any error as one of these.
    static func wrapping(_ error: any Error, at endpoint: RedisEndpoint) -> RedisError {
        if let error = error as? RedisError { return error }
        return .connectionLost(endpoint, "\(error)")
    }
}

extension RedisError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .connectionRefused(let endpoint): "Redis at \(endpoint) refuses connections"
        case .dns(let endpoint): "the name of Redis at \(endpoint) does not resolve"
        case .connectTimeout(let endpoint): "Redis at \(endpoint) does not answer in time"
        case .connectFailed(let endpoint, let words): "no connection to Redis at \(endpoint): \(words)"
        case .tls(let endpoint, let words): "TLS with Redis at \(endpoint) failed: \(words)"
        case .wrongPassword(let endpoint): "Redis at \(endpoint) does not accept the user or password"
        case .wrongDatabase(let endpoint, let number): "Redis at \(endpoint) has no database \(number)"
        case .server(let error): "Redis answered with an error: \(error)"
        case .deadline(let amount): "Redis did not answer within \(amount.nanoseconds / 1_000_000) ms"
        case .connectionLost(let endpoint, let words): "the connection to Redis at \(endpoint) ended: \(words)"
        case .protocolViolation(let endpoint, let words): "Redis at \(endpoint) sent an invalid reply: \(words)"
        case .overloaded(let count): "\(count) commands already wait for Redis"
        case .unavailable(let words): "Redis is out of reach: \(words)"
        case .noMaster(let name, let words): "no sentinel knows a reachable master named \(name): \(words)"
        case .cluster(let words): "the Redis Cluster cannot run the command: \(words)"
        case .closed: "the Redis client is closed"
        }
    }
}
