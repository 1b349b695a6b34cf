package import NIOCore

/// A socket's number in one session: chosen by the client, or by the node for accepted sockets. 0 is the session itself.
package typealias SocketID = UInt64

extension SocketID {
    package static let session: SocketID = 0
    /// Accepted sockets are numbered from here to `maximumAccepted`: above all client ids, and within a JavaScript number.
    package static let firstAccepted: SocketID = 1 << 52
    package static let maximumAccepted: SocketID = (1 << 53) - 1
}

/// How one message is written: a socket's events use the encoding in which it was opened.
package enum WireEncoding: Sendable, Hashable {
    case json
    case binary
}

/// The version of the language that a session speaks.
package enum WireVersion: Sendable, Hashable, CaseIterable {
    case v1
    case v2
}

/// What a client requests from the node.
package enum Request: Sendable, Equatable {
    case connect(SocketID, host: String, port: UInt16)
    case connectTLS(SocketID, host: String, port: UInt16)
    case connectUDP(SocketID, host: String, port: UInt16)
    case bind(SocketID, host: String, port: UInt16)
    case bindUDP(SocketID, host: String, port: UInt16)
    case listen(SocketID, backlog: UInt32)
    case send(SocketID, ByteBuffer)
    case sendTo(SocketID, host: String, port: UInt16, ByteBuffer)
    case close(SocketID)
    case resolve(SocketID, name: String)
    /// v2: the client accepts this many more payload bytes on this socket.
    case window(SocketID, bytes: UInt32)
    /// v2: the client has no more to send.
    case shutdown(SocketID)
    /// v2: drop the socket at once, including unsent bytes.
    case reset(SocketID)

    package var id: SocketID {
        switch self {
        case .connect(let id, _, _), .connectTLS(let id, _, _), .connectUDP(let id, _, _), .bind(let id, _, _),
            .bindUDP(let id, _, _), .listen(let id, _), .send(let id, _), .sendTo(let id, _, _, _), .close(let id),
            .resolve(let id, _), .window(let id, _), .shutdown(let id), .reset(let id):
            id
        }
    }
}

/// What the node sends to a client.
package enum Event: Sendable, Equatable {
    /// `local` and `remote` are "ip:port" or "[ip6]:port".
    case connected(SocketID, local: String, remote: String, alpn: String?)
    case data(SocketID, ByteBuffer)
    case listening(SocketID, port: UInt16)
    case accepted(SocketID, connection: SocketID, remote: String)
    case closed(SocketID, ReasonCode, message: String)
    /// A refusal or failure; written as `denied` if the code says so (``ReasonCode/isDenial``), else as `error`.
    case refused(SocketID, Refusal)
    case dataFrom(SocketID, ByteBuffer, host: String, port: UInt16)
    case resolved(SocketID, addresses: [String])
    case udpBound(SocketID, port: UInt16)
    /// v2 only, like the three that follow.
    case hello(Hello)
    case window(SocketID, bytes: UInt32)
    case end(SocketID)
    case goaway(reconnectInMilliseconds: UInt32, message: String)
}

/// Why something was not done: a code and a message.
package struct Refusal: Error, Sendable, Hashable {
    package var code: ReasonCode
    /// What happened and to what, without the operating system's raw text or any address the client did not name.
    package var message: String
    /// The same for the node's own log, which may be more detailed; nil: ``message``. Not sent.
    package var detail: String?
    /// When a retry may succeed; 0 when waiting does not help.
    package var retryAfterMilliseconds: UInt32

    package init(_ code: ReasonCode, _ message: String, retryAfterMilliseconds: UInt32 = 0) {
        self.code = code
        self.message = message
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }
}

/// The session's terms: the first message of a v2 node.
package struct Hello: Sendable, Equatable {
    package var version: String
    package var node: String
    package var session: String
    /// First credit of each TCP or TLS socket, both ways, in payload bytes.
    package var window: UInt32
    /// Cap on one WebSocket message, in bytes.
    package var maxMessage: UInt32
    package var maxSockets: UInt32
    package var heartbeatMilliseconds: UInt32

    package init(
        version: String, node: String, session: String, window: UInt32, maxMessage: UInt32, maxSockets: UInt32,
        heartbeatMilliseconds: UInt32
    ) {
        self.version = version
        self.node = node
        self.session = session
        self.window = window
        self.maxMessage = maxMessage
        self.maxSockets = maxSockets
        self.heartbeatMilliseconds = heartbeatMilliseconds
    }
}

/// A message that could not be read: answered with an `error` event; the session continues.
package struct MalformedMessage: Error, Sendable, Equatable {
    /// The socket it was about, if that could be read, else 0.
    package var id: SocketID
    package var message: String

    package init(id: SocketID = .session, _ message: String) {
        self.id = id
        self.message = message
    }
}
