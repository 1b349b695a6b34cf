import WasmnetNet

/// Where a Redis server listens.
package enum RedisEndpoint: Sendable, Hashable, CustomStringConvertible {
    /// A name, an IPv4 or an IPv6 address (without brackets), and a TCP port.
    case host(String, port: Int)
    /// The path of a unix domain socket.
    case unixSocket(String)

    /// `host:port`, `[v6]:port` or the socket's path.
    package var description: String {
        switch self {
        case .host(let host, let port): HostPort.text(host, port)
        case .unixSocket(let path): path
        }
    }
}

/// A client's credentials. Printing them never shows the password.
package struct RedisCredentials: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// The ACL user; nil for the server's default user.
    package var username: String?
    package var password: String

    package init(username: String? = nil, password: String) {
        self.username = username
        self.password = password
    }

    package var description: String { "credentials of \(username ?? "the default user")" }

    package var debugDescription: String { description }

    package var customMirror: Mirror { Mirror(self, children: EmptyCollection()) }
}
