package import WasmnetNet
package import WasmnetProtocol
package import WasmnetQuota

/// A session's owner and origin: common to all its events.
package struct SessionOrigin: Sendable {
    /// The session's random name, as in `hello` and the log.
    package let id: String
    package let client: ClientID
    /// Where the client connects from, behind trusted proxies; nil without an IP address.
    package let address: IPAddress?
    /// The subject of the client's token; nil without one.
    package let subject: ClientID?
    package let version: WireVersion
    /// Monotonic nanoseconds of its start.
    package let opened: Int64
    /// What the observer returned for the request that opened it, see ``RelayObserver/trace(of:)``.
    package let trace: (any Sendable)?
}

/// What is known of one socket: its progress while it lives, its totals at its end.
package struct SocketRecord: Sendable {
    package enum State: Sendable {
        /// Its name is being looked up or its target dialed.
        case opening
        case open
        /// One direction has ended.
        case halfClosed
        case listening
    }

    package let socket: SocketID
    package let kind: SocketKind
    /// As the client named it; empty if it named nothing.
    package var host = ""
    package var port: UInt16 = 0
    /// The address dialed, bound, or accepted from.
    package var address: IPAddress?
    package var state = State.open
    package var bytesUp: UInt64 = 0
    package var bytesDown: UInt64 = 0
    /// Monotonic nanoseconds of its request, or of its arrival.
    package let opened: Int64
    package var times = SocketTimes()

    package init(socket: SocketID, kind: SocketKind, opened: Int64) {
        self.socket = socket
        self.kind = kind
        self.opened = opened
    }

    /// `host:port` as the client named it; nil if it named nothing.
    package var destination: String? {
        guard !self.host.isEmpty else { return nil }
        return HostPort.text(self.host, self.port)
    }
}

/// Durations of the steps of a socket's opening, in nanoseconds; nil for steps that did not happen.
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
