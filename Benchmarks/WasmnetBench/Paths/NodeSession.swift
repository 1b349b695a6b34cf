import Glibc
import NIOCore
import WasmnetProtocol

/// One WebSocket to a node, and the sockets on it.
final class NodeSession {
    /// The protocol of a session.
    enum Dialect {
        case v1JSON
        case v1Binary
        case v2

        var version: WireVersion { self == .v2 ? .v2 : .v1 }
        var encoding: WireEncoding { self == .v1JSON ? .json : .binary }
    }

    let link: WebSocketLink
    let dialect: Dialect
    private let codec: MessageCodec
    private var lanes: [SocketID: NodeLane] = [:]
    private var nextID: SocketID = 1
    fileprivate var window = 0
    /// The first byte of a binary `data` event.
    private static let dataType: UInt8 = 0x82

    /// The session can be used: v2's `hello` has arrived, or v1's upgrade was answered.
    var onReady: () -> Void = {}
    private(set) var isReady = false

    /// - Parameter host: The last byte of the address to connect from, in 127.0.0.0/24.
    init(port: UInt16, dialect: Dialect, from host: UInt8 = 1, on reactor: Reactor) throws {
        self.dialect = dialect
        self.codec = MessageCodec(version: dialect.version)
        let subprotocol = dialect == .v2 ? Subprotocol.v2 : nil
        self.link = try WebSocketLink(port: port, subprotocol: subprotocol, from: host, on: reactor)
        self.link.onOpen = { [unowned self] in if dialect != .v2 { self.becomeReady() } }
        self.link.onMessage = { [unowned self] in self.take($0, isText: $1) }
        self.link.connection.onDrained = { [unowned self] in for lane in self.lanes.values { lane.onRoom() } }
        self.link.connection.onEnd = { [unowned self] in self.end() }
    }

    /// Opens a socket. Its ``Lane/onOpen`` is called when the node has connected it.
    func open(host: String = "127.0.0.1", targetPort: UInt16) -> NodeLane {
        let lane = NodeLane(session: self, id: self.nextID)
        self.nextID += 1
        self.lanes[lane.id] = lane
        self.send(.connect(lane.id, host: host, port: targetPort))
        self.link.connection.flush()
        return lane
    }

    func close() {
        self.link.connection.close()
        self.end()
    }

    fileprivate func send(_ request: Request) {
        var message = ByteBuffer()
        self.codec.encode(request, as: self.dialect.encoding, into: &message)
        message.withUnsafeReadableBytes { self.link.send(head: [], body: $0, isText: self.dialect == .v1JSON) }
    }

    /// A request's binary form.
    fileprivate func head(of request: Request) -> [UInt8] {
        var message = ByteBuffer()
        self.codec.encode(request, as: .binary, into: &message)
        return Array(message.readableBytesView)
    }

    private func becomeReady() {
        self.isReady = true
        self.onReady()
    }

    private func end() {
        let lanes = self.lanes.values
        self.lanes = [:]
        for lane in lanes { lane.onClosed() }
    }

    private func take(_ message: UnsafeRawBufferPointer, isText: Bool) {
        // Nearly all messages are binary `data`: their payload is passed up in place.
        if !isText, message.count >= 9, message[0] == Self.dataType {
            let id = SocketID(bigEndian: message.loadUnaligned(fromByteOffset: 1, as: SocketID.self))
            self.lanes[id]?.take(UnsafeRawBufferPointer(rebasing: message[9...]))
            return
        }
        guard case .success(let event) = self.codec.decodeEvent(ByteBuffer(bytes: message), isText: isText) else {
            return
        }
        switch event {
        case .hello(let hello):
            self.window = Int(hello.window)
            self.becomeReady()
        case .connected(let id, _, _, _):
            self.lanes[id]?.credit = self.window
            self.lanes[id]?.onOpen()
        case .data(let id, let bytes): bytes.withUnsafeReadableBytes { self.lanes[id]?.take($0) }
        case .window(let id, let bytes):
            self.lanes[id]?.credit += Int(bytes)
            self.lanes[id]?.onRoom()
        case .closed(let id, _, _): self.lanes.removeValue(forKey: id)?.onClosed()
        case .refused(let id, let refusal):
            if let lane = self.lanes[id], let onRefused = lane.onRefused {
                self.lanes[id] = nil
                return onRefused()
            }
            Console.note("the node refused socket \(id): \(refusal.code): \(refusal.message)")
        default: break
        }
    }
}

/// A socket of a session.
final class NodeLane: Lane {
    fileprivate unowned let session: NodeSession
    let id: SocketID
    fileprivate var credit = 0
    private var consumed = 0
    private let dataHead: [UInt8]
    /// Set if a refusal is expected; else it is reported to the user.
    var onRefused: (() -> Void)?

    fileprivate init(session: NodeSession, id: SocketID) {
        self.session = session
        self.id = id
        self.dataHead = session.head(of: .send(id, ByteBuffer()))
        super.init(connection: session.link.connection)
    }

    override var room: Int {
        let unsent = max(0, Self.unsentLimit - self.connection.unsent)
        return self.session.dialect == .v2 ? min(unsent, self.credit) : unsent
    }

    override func send(_ bytes: UnsafeRawBufferPointer) {
        self.credit -= bytes.count
        if self.session.dialect == .v1JSON {
            self.session.send(.send(self.id, ByteBuffer(bytes: bytes)))
        } else {
            self.session.link.send(head: self.dataHead, body: bytes)
        }
    }

    override func close() {
        self.session.send(.close(self.id))
        self.flush()
    }

    fileprivate func take(_ bytes: UnsafeRawBufferPointer) {
        self.onBytes(bytes)
        guard self.session.dialect == .v2, self.isConsuming else { return }
        self.consumed += bytes.count
        guard self.consumed >= self.session.window / 4 else { return }
        self.session.send(.window(self.id, bytes: UInt32(self.consumed)))
        self.flush()
        self.consumed = 0
    }
}
