import NIOCore
import WasmnetProtocol

/// The page: its requests, its events, and whether those are allowed.
struct SimulatedBrowser {
    struct Socket {
        var isConnected = false
        /// Bytes the client may still send; counted in v2 only.
        var credit: Int
        var sent = 0
        var received = 0
        var unconsumed = 0
        var hasShutDown = false
        var hasClosed = false
        var wasReset = false
        var targetEnded = false
        /// Sent once, and last.
        var end: ReasonCode?
    }

    let codec: MessageCodec
    let window: Int
    var sockets: [SocketID: Socket] = [:]
    var wasClosed = false
    private var input = ByteBuffer()
    private var mask: UInt32 = 0x1234_5678
    /// Violations that a test must report.
    var faults: [String] = []

    init(version: WireVersion, window: Int) {
        self.codec = MessageCodec(version: version)
        self.window = window
    }

    var hasCredit: Bool { self.codec.version == .v2 }

    /// One byte of a socket's stream: encodes socket, direction and offset.
    static func byte(_ id: SocketID, isUp: Bool, _ offset: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: offset &* 31 &+ offset >> 8 &* 7 &+ Int(id) &* 101 &+ (isUp ? 53 : 0))
    }

    static func bytes(_ id: SocketID, isUp: Bool, from offset: Int, count: Int) -> ByteBuffer {
        ByteBuffer(bytes: (offset..<offset + count).map { Self.byte(id, isUp: isUp, $0) })
    }

    // MARK: Frames out

    mutating func frame(_ request: Request) -> ByteBuffer {
        var payload = ByteBuffer()
        self.codec.encode(request, as: .binary, into: &payload)
        return self.frame(opcode: 2, payload)
    }

    private mutating func frame(opcode: UInt8, _ payload: ByteBuffer) -> ByteBuffer {
        self.mask = self.mask &* 1_664_525 &+ 1_013_904_223
        var frame = ByteBuffer(bytes: [0x80 | opcode])
        let length = payload.readableBytes
        if length < 126 {
            frame.writeInteger(0x80 | UInt8(length))
        } else {
            frame.writeMultipleIntegers(UInt8(0xFE), UInt16(length))
        }
        let key = withUnsafeBytes(of: self.mask) { Array($0) }
        frame.writeBytes(key)
        frame.writeBytes(payload.readableBytesView.enumerated().map { $1 ^ key[$0 & 3] })
        return frame
    }

    // MARK: Frames in

    /// Takes bytes of the WebSocket.
    /// - Returns: Frames to answer with (pongs).
    mutating func receive(_ bytes: ByteBuffer) -> ByteBuffer {
        self.input.writeImmutableBuffer(bytes)
        var answers = ByteBuffer()
        while let (opcode, payload) = self.nextFrame() {
            switch opcode {
            case 2: self.receive(message: payload)
            case 9: answers.writeImmutableBuffer(self.frame(opcode: 10, payload))
            case 8: self.wasClosed = true
            default: self.faults.append("opcode \(opcode)")
            }
        }
        return answers
    }

    private mutating func nextFrame() -> (opcode: UInt8, payload: ByteBuffer)? {
        var rest = self.input
        guard let first: UInt8 = rest.readInteger(), let second: UInt8 = rest.readInteger() else { return nil }
        var length = Int(second)
        if second == 126 {
            guard let long: UInt16 = rest.readInteger() else { return nil }
            length = Int(long)
        } else if second > 126 {
            self.faults.append("a frame of more than 65535 bytes, or masked")
            return nil
        }
        guard let payload = rest.readSlice(length: length) else { return nil }
        self.input = rest
        return (first & 0x0F, payload)
    }

    private mutating func receive(message: ByteBuffer) {
        switch self.codec.decodeEvent(message, isText: false) {
        case .failure(let error): self.faults.append("unreadable: \(error.message)")
        case .success(let event): self.receive(event)
        }
    }

    private mutating func receive(_ event: Event) {
        switch event {
        case .hello, .goaway: return
        case .connected(let id, _, _, _): self.update(id, event) { $0.isConnected = true }
        case .window(let id, let bytes): self.update(id, event) { $0.credit += Int(bytes) }
        case .end(let id): self.update(id, event) { $0.targetEnded = true }
        case .closed(let id, let reason, _): self.update(id, event) { $0.end = reason }
        case .refused(let id, let refusal): self.update(id, event) { $0.end = refusal.code }
        case .data(let id, var bytes):
            self.update(id, event) { socket in
                let expected = Self.bytes(id, isUp: false, from: socket.received, count: bytes.readableBytes)
                let isRight = bytes.readSlice(length: bytes.readableBytes) == expected && !socket.targetEnded
                socket.received += expected.readableBytes
                socket.unconsumed += expected.readableBytes
                return isRight
            }
        default: self.faults.append("unexpected \(event)")
        }
    }

    private mutating func update(_ id: SocketID, _ event: Event, _ body: (inout Socket) -> Void) {
        self.update(id, event) { socket in
            body(&socket)
            return true
        }
    }

    /// Every event of a socket comes before its end.
    private mutating func update(_ id: SocketID, _ event: Event, _ body: (inout Socket) -> Bool) {
        guard var socket = self.sockets[id] else {
            self.faults.append("told of a socket that never was: \(event)")
            return
        }
        if socket.end != nil { self.faults.append("told after its end: \(event)") }
        if !body(&socket) { self.faults.append("wrong bytes: socket \(id) at \(socket.received)") }
        if self.hasCredit, socket.unconsumed > self.window { self.faults.append("more than the credit: socket \(id)") }
        self.sockets[id] = socket
    }
}
