/// The location and credentials of Redis, parsed from a URL.
///
/// | URL | Meaning |
/// |---|---|
/// | `redis://[user:password@]host[:port][/database]` | one server; port 6379 by default |
/// | `redis+unix://[user:password@]/path[?db=database]`, `unix://…` | one server behind a unix socket |
/// | `redis+sentinel://[user:password@]host[:port],…/master[/database]` | the master of that name; port 26379 |
/// | `redis+cluster://[user:password@]host[:port],…` | a Redis Cluster found through any of these nodes |
///
/// `rediss` instead of `redis` means TLS. User and password are percent-decoded; `redis://:password@host` and
/// `redis://password@host` name the default user. IPv6 addresses are in brackets. Sentinels with a separate password
/// use the parameters `sentinel-user` and `sentinel-password`.
package struct RedisURL: Sendable, Equatable {
    package enum Topology: Sendable, Equatable {
        case single(RedisEndpoint)
        /// The sentinels, and their name for the master.
        case sentinel([RedisEndpoint], master: String, credentials: RedisCredentials?)
        /// Nodes to query first.
        case cluster([RedisEndpoint])
    }

    package var topology: Topology
    /// All servers that the URL names.
    package var endpoints: [RedisEndpoint] {
        switch self.topology {
        case .single(let endpoint): [endpoint]
        case .sentinel(let endpoints, _, _), .cluster(let endpoints): endpoints
        }
    }
    package var credentials: RedisCredentials?
    /// 0 or more; always 0 in a cluster.
    package var database: Int
    package var usesTLS: Bool

    package init(
        topology: Topology, credentials: RedisCredentials? = nil, database: Int = 0, usesTLS: Bool = false
    ) {
        self.topology = topology
        self.credentials = credentials
        self.database = database
        self.usesTLS = usesTLS
    }
}

extension RedisURL: CustomStringConvertible {
    /// The URL without user and password.
    package var description: String {
        let scheme = usesTLS ? "rediss" : "redis"
        let path = database == 0 ? "" : "/\(database)"
        switch topology {
        case .single(.unixSocket(let socket)):
            return "redis+unix://\(socket)" + (database == 0 ? "" : "?db=\(database)")
        case .single(let endpoint):
            return "\(scheme)://\(endpoint)\(path)"
        case .sentinel(let endpoints, let master, _):
            return "\(scheme)+sentinel://\(Self.list(endpoints))/\(master)\(path)"
        case .cluster(let endpoints):
            return "\(scheme)+cluster://\(Self.list(endpoints))"
        }
    }

    private static func list(_ endpoints: [RedisEndpoint]) -> String {
        endpoints.map(\.description).joined(separator: ",")
    }
}

/// What is wrong with a URL, showing nothing of it but its scheme, hosts and parameter names.
package struct RedisURLError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
