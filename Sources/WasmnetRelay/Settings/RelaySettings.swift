public import NIOCore

/// Every limit and timeout of the relay that is not a client's quota, each with its unit and default.
public struct RelaySettings: Sendable {
    /// Cap on one WebSocket message, in bytes; a larger one ends the session with 1009. Default 1 MiB.
    public var maxMessageBytes = 1 << 20
    /// Bytes of incomplete messages, of all sessions of one client, beyond 193 KiB for each session; at least one message. A
    /// session that would hold more is ended with 1013. Default 2 MiB.
    public var maxUnfinishedBytes = 2 << 20
    /// v1: bytes a stream may hold for a target that accepts none before the WebSocket is no longer read. Default 256 KiB.
    public var streamAllowanceBytes = 256 << 10
    /// v2: first credit of each TCP or TLS socket, both ways, in payload bytes. Default 256 KiB.
    public var firstWindowBytes = 256 << 10
    /// v2: the most outstanding credit on one socket, in bytes. Default 16 MiB.
    public var maxWindowBytes = 16 << 20
    /// v2: the most outstanding credit beyond first windows in one session, in bytes. Default 64 MiB.
    public var maxSessionWindowBytes = 64 << 20
    /// The most bytes one read takes from a target; v2: up to four times as many on high-bandwidth client connections. Default 64 KiB.
    public var readChunkBytes = 64 << 10
    /// About how many bytes are read from all targets of one session in one turn of the event loop. Default 256 KiB.
    public var readTurnBytes = 256 << 10
    /// Time in which the messages of one session are processed in one turn of its event loop, at least one; the rest waits for the next.
    /// Eight times as long if no other session had a turn for 100 ms. Default 250 µs.
    public var inputTurn = TimeAmount.microseconds(250)
    /// The most bytes one read takes from a WebSocket, which carries many sockets. Default 256 KiB.
    public var carrierReadChunkBytes = 256 << 10
    /// Bytes queued in the process toward a WebSocket above which targets are no longer read. Default 128 KiB.
    public var outboundHighWaterBytes = 128 << 10
    /// Bytes queued in the process toward a WebSocket below which targets are read again. Default 64 KiB.
    public var outboundLowWaterBytes = 64 << 10
    /// `TCP_NOTSENT_LOWAT` of the WebSocket leg, in bytes: what the kernel may hold unsent. Default 128 KiB.
    public var notSentLowWaterBytes = 128 << 10
    /// Bytes of answers (not data) queued toward a WebSocket above which its requests are no longer read. Default 256 KiB.
    public var answerBacklogBytes = 256 << 10
    /// Time between two WebSocket pings. Default 30 s.
    public var heartbeat = TimeAmount.seconds(30)
    /// Heartbeats without any sign of life after which the peer is considered dead. Default 2.
    public var missedHeartbeats = 2
    /// Time a client gets for its first pong before it is sent data as if it answered pings. Default 3 s.
    public var firstPongTimeout = TimeAmount.seconds(3)
    /// Time for the HTTP upgrade, the wss handshake included. Default 10 s.
    public var upgradeTimeout = TimeAmount.seconds(10)
    /// Time for a PROXY protocol header, if one is expected. Default 5 s.
    public var proxyHeaderTimeout = TimeAmount.seconds(5)
    /// Time for the WebSocket close handshake. Default 5 s.
    public var closeTimeout = TimeAmount.seconds(5)
    /// Time for a client to read an HTTP answer that ends its connection, and to stop sending. Default 2 s.
    public var answerLinger = TimeAmount.seconds(2)
    /// Bytes that a client may send after an answer that ends its connection, or after its close frame, and that a target may send after
    /// its socket is closed; they are dropped. Default 1 MiB.
    public var lingerBytes = 1 << 20
    /// Time for a TLS handshake with a target. Default 10 s.
    public var tlsHandshakeTimeout = TimeAmount.seconds(10)
    /// Time for accepted bytes to leave for the target after a socket was closed. Default 5 s.
    public var linger = TimeAmount.seconds(5)
    /// Delay between two attempts of happy eyeballs (RFC 8305, section 5). Default 250 ms.
    public var connectionAttemptDelay = TimeAmount.milliseconds(250)
    /// The most addresses tried for one name. Default 8.
    public var maxAddressesPerName = 8
    /// Sockets in one session, whatever the quota says. Default 4096.
    public var maxSocketsPerSession = 4096
    /// Concurrent name lookups of one session. Default 64.
    public var maxLookupsPerSession = 64
    /// Bytes of messages of one client that wait for lookups; those that do not fit are dropped and counted. Default 64 KiB.
    public var maxWaitingBytes = 64 << 10
    /// How long a resolved name is not looked up again in the same session. Default 30 s.
    public var nameMemory = TimeAmount.seconds(30)
    /// Names whose addresses one session remembers. Default 256.
    public var maxRememberedNames = 256
    /// Pairs of an address and a name it was resolved from that one session remembers. Default 1024.
    public var maxTiedAddresses = 1024
    /// Ids a session remembers as ended, so that a late message for them is ignored. Default 1024.
    public var maxRememberedIDs = 1024
    /// How long messages for a socket that the node ended are ignored. Later ones count as without effect. Default 5 s.
    public var crossingTime = TimeAmount.seconds(5)
    /// Peers a UDP socket remembers as sent to. Default 256.
    public var maxDatagramPeers = 256
    /// Bytes of datagrams queued in one UDP socket; those that do not fit are dropped and counted. Default 256 KiB.
    public var datagramQueueBytes = 256 << 10
    /// Largest relayed datagram, in bytes. Default 65,507.
    public var maxDatagramBytes = 65_507
    /// Connections a listener accepts in one turn of the event loop. Default 16.
    public var acceptsPerTurn = 16
    /// ALPN names offered in `connect_tls`; none by default.
    public var tlsApplicationProtocols: [String] = []

    /// The defaults.
    public init() {}

    /// The size of one read of a target on high-bandwidth client connections.
    var wideReadChunkBytes: Int { min(4 * self.readChunkBytes, 1 << 30) }
}
