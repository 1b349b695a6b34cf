package import WasmnetNet
package import WasmnetProtocol
package import WasmnetQuota

/// Whose session it is and where it comes from: what is the same for all that is told of it.
package struct SessionOrigin: Sendable {
    /// The session's random name, as in `hello` and the log.
    package let id: String
    package let client: ClientID
    /// Where the client connects from, behind trusted proxies; nil for what has no IP address.
    package let address: IPAddress?
    /// Who the client's token says it is; nil without one.
    package let subject: ClientID?
    package let version: WireVersion
    /// Monotonic nanoseconds of its start.
    package let opened: Int64
    /// What the observer gave for the request that opened it, see ``RelayObserver/trace(of:)``.
    package let trace: (any Sendable)?
}

/// What is known of one socket: how it goes while it lives, how it went at its end.
package struct SocketRecord: Sendable {
    package enum State: Sendable {
        /// Its name is looked up or its target dialed.
        case opening
        case open
        /// One direction is over.
        case halfClosed
        case listening
    }

    package let socket: SocketID
    package let kind: SocketKind
    /// As the client named it; empty where it named nothing.
    package var host = ""
    package var port: UInt16 = 0
    /// The address dialed, bound, or accepted from.
    package var address: IPAddress?
    package var state = State.open
    package var bytesUp: UInt64 = 0
    package var bytesDown: UInt64 = 0
    /// Monotonic nanoseconds of its request, or of its coming in.
    package let opened: Int64
    package var times = SocketTimes()

    package init(socket: SocketID, kind: SocketKind, opened: Int64) {
        self.socket = socket
        self.kind = kind
        self.opened = opened
    }

    /// `host:port` as the client named it; nil where it named nothing.
    package var destination: String? {
        guard !self.host.isEmpty else { return nil }
        return HostPort.text(self.host, self.port)
    }
}

/// How long the steps of a socket's opening took, in nanoseconds; nil for what did not happen.
package struct SocketTimes: Sendable {
    /// The name's lookup.
    package var resolve: Int64?
    /// From the first attempt to the connection, TLS included.
    package var dial: Int64?
    /// The handshake with the target alone.
    package var tls: Int64?
    /// From the request to the target's first byte.
    package var firstByte: Int64?

    package init() {}
}
