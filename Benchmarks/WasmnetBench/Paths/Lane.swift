/// One byte stream from the client to the target, over any path: the interface for every workload.
class Lane {
    /// Bytes from the target arrive here; valid during the call only.
    var onBytes: (UnsafeRawBufferPointer) -> Void = { _ in }
    /// The target can be written to, as far as the path shows.
    var onOpen: () -> Void = {}
    /// It has ended.
    var onClosed: () -> Void = {}
    /// There is room again after there was none.
    var onRoom: () -> Void = {}
    /// False: received data is not consumed, so that a path with credit for each stream grants none.
    var isConsuming = true

    /// The connection of the client that carries it, perhaps among others.
    let connection: Connection

    init(connection: Connection) { self.connection = connection }

    /// The number of bytes that can be passed on now.
    var room: Int { 0 }
    /// Passes on one message's bytes; ``flush()`` sends them.
    func send(_ bytes: UnsafeRawBufferPointer) {}
    func flush() { self.connection.flush() }
    func close() {}

    /// How much data waits in a lane before it accepts no more.
    static let unsentLimit = 128 << 10
}

extension Lane {
    func send(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { self.send($0) }
        self.flush()
    }
}

/// A separate TCP connection: directly to the target, or through a TCP proxy.
final class TCPLane: Lane {
    init(port: UInt16, on reactor: Reactor) throws {
        super.init(
            connection: Connection(descriptor: try Sockets.connect(port: port), isConnected: false, on: reactor))
        self.connection.onConnected = { [unowned self] in self.onOpen() }
        self.connection.onBytes = { [unowned self] in self.onBytes($0) }
        self.connection.onDrained = { [unowned self] in self.onRoom() }
        self.connection.onEnd = { [unowned self] in self.onClosed() }
    }

    override var room: Int { max(0, Self.unsentLimit - self.connection.unsent) }
    override func send(_ bytes: UnsafeRawBufferPointer) { self.connection.write(bytes) }

    override func close() {
        self.connection.close()
        self.onClosed()
    }
}

/// A separate WebSocket, whose messages are the bytes: websockify's protocol.
final class WebSocketLane: Lane {
    private let link: WebSocketLink

    init(port: UInt16, on reactor: Reactor) throws {
        self.link = try WebSocketLink(port: port, subprotocol: "binary", on: reactor)
        super.init(connection: self.link.connection)
        self.link.onOpen = { [unowned self] in self.onOpen() }
        self.link.onMessage = { [unowned self] bytes, _ in self.onBytes(bytes) }
        self.connection.onDrained = { [unowned self] in self.onRoom() }
        self.connection.onEnd = { [unowned self] in self.onClosed() }
    }

    override var room: Int { max(0, Self.unsentLimit - self.connection.unsent) }
    override func send(_ bytes: UnsafeRawBufferPointer) { self.link.send(head: [], body: bytes) }

    override func close() {
        self.connection.close()
        self.onClosed()
    }
}
