import NIOCore
import NIOPosix
import NIOSSL
package import RedisClient
import WasmnetCluster
package import WasmnetQuota

/// Where the cluster's limits are counted, so that they apply to all nodes together.
public struct RedisOptions: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
    /// `redis://[user][:password@]host[:port][/database]`, `rediss://…` (TLS), `redis+unix:///path`, `redis+sentinel://host,host/master`
    /// or `redis+cluster://host,host`.
    public var url: String
    /// The names of the options for the URL and the authorities, for error messages.
    package var name = "--redis"
    package var authoritiesName = "--redis-ca-file"
    /// PEM files with authorities trusted for `rediss` in addition to the system's. None by default.
    public var authorities: [String] = []
    /// Whether the node starts, and serves by the policy's `redis_failure`, while Redis is out of reach. Default false.
    public var isOptional = false
    /// Milliseconds that connects, lookups and bytes wait for an answer of Redis, 10 to 1000. Default 50. Then they proceed, up to this
    /// node's share of their limits, and what passed is charged with the next answer.
    public var timeoutMilliseconds = 50
    /// Seconds of silence from Redis before it is an outage, in which the policy's `redis_failure` applies, 1 to 60. Default 5.
    public var outageSeconds = 5
    /// Replaces ``timeoutMilliseconds``, of any length; nil by default.
    package var answerTime: QuotaDuration?
    package static let timeouts = 10...1000
    package static let outages = 1...60
    /// A connection without an answer for this long is closed.
    static let commandDeadline = TimeAmount.milliseconds(2500)
    /// How often the node registers as alive.
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

extension RedisOptions {
    /// A client that begins to connect. It runs on NIO's shared event loops, so that it serves sessions on any.
    ///
    /// - Parameters:
    ///   - name: how the server lists its connections.
    ///   - observer: called when connections open and close; nothing is logged.
    /// - Throws: if the URL or the files cannot be read.
    package func makeClient(
        name: String, observer: @escaping @Sendable (RedisLinkEvent) -> Void = { _ in }
    ) throws(ConfigurationError) -> RedisClient {
        try self.makeClient(try self.clientOptions(name: name, observer: observer))
    }

    func makeClient(_ client: RedisClientOptions) throws(ConfigurationError) -> RedisClient {
        do {
            return try RedisClient(
                RedisURL(self.url), options: client, group: MultiThreadedEventLoopGroup.singleton)
        } catch {
            throw ConfigurationError("\(self.name): \(error)")
        }
    }

    func clientOptions(
        name: String, observer: @escaping @Sendable (RedisLinkEvent) -> Void
    ) throws(ConfigurationError) -> RedisClientOptions {
        var client = RedisClientOptions(clientName: name)
        client.commandDeadline = Self.commandDeadline
        client.observer = observer
        for path in self.authorities {
            do {
                client.tlsConfiguration.additionalTrustRoots.append(.certificates(try PEMFile.certificates(path)))
            } catch {
                throw ConfigurationError("\(self.authoritiesName): \(error)")
            }
        }
        return client
    }
}
