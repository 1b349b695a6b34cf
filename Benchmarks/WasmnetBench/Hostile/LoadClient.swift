import NIOCore
import WasmnetProtocol

/// Source and destination of one client of the load.
struct ClientPlace {
    /// 0 to 7.
    var index: Int
    /// The last byte of its address in 127.0.0.0/24.
    var host: UInt8
    var nodePort: UInt16
    /// A ``Target``.
    var targetPort: UInt16
    /// The address where datagrams are read and discarded.
    var datagramPort: UInt16
    var reactor: Reactor
}

/// One client of the load.
class LoadClient {
    let place: ClientPlace
    /// Messages passed to the kernel so far.
    fileprivate(set) var sent = 0
    /// Connections that the node ended early.
    fileprivate(set) var ended = 0
    fileprivate(set) var isReady = false

    init(_ place: ClientPlace) { self.place = place }

    /// Offers messages up to this total; messages that the node does not accept are left for the next turn.
    func offer(upTo count: Int) {}
    /// A millisecond has passed.
    func tick() {}
}

/// A client of one WebSocket that writes a message as often as it can, and reads without checking the content.
final class MessageClient: LoadClient {
    private let link: WebSocketLink
    private let write: (WebSocketLink, Int) -> Void
    /// Bytes of the WebSocket that are read in a millisecond; nil: all.
    private let bytesPerTick: Int?
    /// Waiting bytes beyond which no more is written: a node that does not read is noticed.
    private static let unsentLimit = 16 << 10
    /// The other clients have their turns too.
    private static let maxPerTurn = 500

    /// - Parameters:
    ///   - opening: Its first message.
    ///   - write: Writes its next message, by its number, to the link.
    init(
        _ place: ClientPlace, _ dialect: NodeSession.Dialect, opening: [Request], bytesPerTick: Int? = nil,
        write: @escaping (WebSocketLink, Int) -> Void
    ) throws {
        self.write = write
        self.bytesPerTick = bytesPerTick
        self.link = try WebSocketLink(
            port: place.nodePort, subprotocol: dialect == .v2 ? Subprotocol.v2 : nil, from: place.host,
            receiveBuffer: bytesPerTick == nil ? nil : 16 << 10, on: place.reactor)
        super.init(place)
        self.link.onOpen = { [unowned self] in
            for request in opening { self.link.send(request, dialect) }
            self.link.connection.flush()
            if bytesPerTick != nil { self.link.connection.readAllowance = 0 }
            self.isReady = true
        }
        self.link.onRefused = { [unowned self] in self.ended += 1 }
        self.link.connection.onEnd = { [unowned self] in self.ended += 1 }
    }

    override func offer(upTo count: Int) {
        let connection = self.link.connection
        guard self.isReady, connection.isOpen else { return }
        let count = min(count, self.sent + Self.maxPerTurn)
        while self.sent < count {
            while self.sent < count, connection.unsent < Self.unsentLimit {
                self.write(self.link, self.sent)
                self.sent += 1
            }
            connection.flush()
            guard connection.isOpen, connection.unsent == 0 else { return }
        }
    }

    override func tick() {
        guard let bytes = self.bytesPerTick, self.isReady, self.link.connection.isOpen else { return }
        self.link.connection.readAllowance = (self.link.connection.readAllowance ?? 0) + bytes
    }
}

/// A client that makes connections: each is a request that never ends, or one that is answered and closed again.
final class UpgradeClient: LoadClient {
    private let isFinishing: Bool
    private var open: [ObjectIdentifier: Connection] = [:]

    init(_ place: ClientPlace, finishing: Bool) {
        self.isFinishing = finishing
        super.init(place)
        self.isReady = true
    }

    override func offer(upTo count: Int) {
        while self.sent < count {
            // No descriptor or port is left: the rest comes in a later turn.
            guard (try? self.connect()) != nil else { return }
            self.sent += 1
        }
    }

    private func connect() throws {
        let connection = Connection(
            descriptor: try Sockets.connect(port: self.place.nodePort, from: self.place.host), isConnected: false,
            on: self.place.reactor)
        let key = ObjectIdentifier(connection)
        self.open[key] = connection
        let request = self.isFinishing ? Self.whole : Self.unfinished
        connection.onConnected = { [unowned connection] in
            connection.write { $0 += request }
            connection.flush()
        }
        connection.onBytes = { [unowned self, unowned connection] _ in
            guard self.isFinishing else { return }
            self.open[key] = nil
            connection.close()
        }
        connection.onEnd = { [unowned self] in
            self.ended += 1
            self.open[key] = nil
        }
    }

    private static let start =
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    private static let whole = [UInt8]((start + "\r\n").utf8)
    /// Within the limits of a head: 15 KiB in 66 fields, and no empty line at its end.
    private static let unfinished = [UInt8](
        (start + (0..<60).map { "X-Padding-\($0): \(String(repeating: "x", count: 230))\r\n" }.joined()).utf8)
}

extension WebSocketLink {
    /// Writes a request; ``Connection/flush()`` sends it.
    func send(_ request: Request, _ dialect: NodeSession.Dialect) {
        var message = ByteBuffer()
        MessageCodec(version: dialect.version).encode(request, as: dialect.encoding, into: &message)
        message.withUnsafeReadableBytes { self.send(head: [], body: $0, isText: dialect == .v1JSON) }
    }
}
