import NIOCore
import WasmnetNet

/// Where the admin server listens, who may use it, and its limits.
package struct AdminConfiguration: Sendable {
    /// An address or a name. Default: `127.0.0.1`.
    package var host: String
    /// 0: a free one. Default: 9100.
    package var port: Int
    /// The token that a request must send as `Authorization: Bearer …`; nil, only on loopback: none. 16 to 1,024 visible ASCII characters.
    package var token: String?
    /// Whether `/metrics` requires the token as well, if there is one. Default: true.
    package var metricsNeedToken = true
    /// Additional names allowed in a `Host` while it listens on loopback: those of a proxy in front of it.
    package var allowedHosts: [String] = []
    package var limits = Limits()

    package struct Limits: Sendable, Hashable {
        /// Connections at once, half of them from one address (of IPv6 its /64). For a new one the connection that has been idle
        /// longest ends; if none is idle, the new one does. Default: 128.
        package var connections = 128
        /// From a connection to the end of its first request's header. Default: 10 seconds.
        package var headerTime: Duration = .seconds(10)
        /// For a request's body, and again for the node's answer. Default: 10 seconds.
        package var requestTime: Duration = .seconds(10)
        /// Between two requests of a connection. Default: 60 seconds.
        package var idleTime: Duration = .seconds(60)
        /// How long a client may accept none of the bytes that wait for it. Default: 10 seconds.
        package var stalledTime: Duration = .seconds(10)
        /// Bytes of a body. Default: 1 MiB.
        package var bodyBytes = 1 << 20
        /// Bytes of a request's header, all fields together. Default: 16 KiB.
        package var headerBytes = 16 * 1024
        /// Concurrent clients of `/v1/events`. Default: 16.
        package var eventClients = 16
        /// Between two events. Default: a second.
        package var eventInterval: Duration = .seconds(1)

        package init() {}
    }

    package init(host: String = "127.0.0.1", port: Int = 9100, token: String? = nil) {
        self.host = host
        self.port = port
        self.token = token
    }

    /// Whether only this machine reaches it: `localhost`, 127.0.0.0/8 or ::1, as a literal.
    package var isLoopback: Bool { HostCheck.isLoopback(ByteText(self.host).lowercased) }

    /// - Throws: ``AdminConfigurationError``.
    func validate() throws(AdminConfigurationError) {
        guard (0...65_535).contains(self.port) else {
            throw AdminConfigurationError("the admin server's port is 0 to 65535, not \(self.port)")
        }
        guard !self.host.isEmpty else { throw AdminConfigurationError("the admin server's host is empty") }
        if let token {
            let isVisible = token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            guard isVisible, (16...1_024).contains(token.utf8.count) else {
                throw AdminConfigurationError("the admin token is 16 to 1024 visible ASCII characters without blanks")
            }
        } else if !self.isLoopback {
            throw AdminConfigurationError(
                "the admin server listens on \(self.host), which other machines may reach: it needs a token")
        }
        let times = [
            self.limits.headerTime, self.limits.requestTime, self.limits.idleTime, self.limits.stalledTime,
            self.limits.eventInterval,
        ]
        let counts = [
            self.limits.connections, self.limits.bodyBytes, self.limits.headerBytes, self.limits.eventClients,
        ]
        guard times.allSatisfy({ $0 > .zero && $0 <= .seconds(86_400) }), counts.allSatisfy({ $0 > 0 }) else {
            throw AdminConfigurationError("every limit of the admin server is above 0, and its times are at most a day")
        }
    }
}

/// What is wrong with the configuration.
package struct AdminConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
