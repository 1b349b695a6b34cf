import Glibc

/// The client's side of one WebSocket (RFC 6455): as lean as possible, so that the generator is not measured.
final class WebSocketLink {
    let connection: Connection
    private var input: [UInt8] = []
    private var inputStart = 0
    private var isOpen = false
    private var mask: UInt32 = 0x9E37_79B9

    /// The first byte of a frame (RFC 6455, section 5.2): FIN and opcode.
    enum FrameStart {
        static let text: UInt8 = 0x81
        static let binary: UInt8 = 0x82
        static let ping: UInt8 = 0x89
        /// A binary message's first fragment, one in the middle, and its last.
        static let firstFragment: UInt8 = 0x02
        static let fragment: UInt8 = 0x00
        static let lastFragment: UInt8 = 0x80
    }

    /// The upgrade was answered with 101.
    var onOpen: () -> Void = {}
    /// The upgrade was answered otherwise; the connection is closed.
    var onRefused: () -> Void = {}
    /// A whole binary or text frame; valid during the call only.
    var onMessage: (UnsafeRawBufferPointer, _ isText: Bool) -> Void = { _, _ in }

    /// - Parameters:
    ///   - host: The last byte of the address to connect from, in 127.0.0.0/24.
    ///   - receiveBuffer: SO_RCVBUF in bytes; nil leaves it to the kernel.
    init(
        port: UInt16, subprotocol: String?, from host: UInt8 = 1, receiveBuffer: Int32? = nil, on reactor: Reactor
    ) throws {
        self.connection = Connection(
            descriptor: try Sockets.connect(port: port, from: host, receiveBuffer: receiveBuffer), isConnected: false,
            on: reactor)
        let offer = subprotocol.map { "Sec-WebSocket-Protocol: \($0)\r\n" } ?? ""
        let request =
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\(offer)\r\n"
        self.connection.onBytes = { [unowned self] in self.take($0) }
        self.connection.onConnected = { [unowned self] in
            self.connection.write { $0.append(contentsOf: request.utf8) }
            self.connection.flush()
        }
    }

    /// Writes one masked frame whose payload is `head` and then `body`; ``Connection/flush()`` sends it.
    func send(head: [UInt8], body: UnsafeRawBufferPointer, isText: Bool = false) {
        self.send(isText ? FrameStart.text : FrameStart.binary, head: head, body: body)
    }

    /// The same for a frame of any kind.
    func send(
        _ start: UInt8, head: [UInt8], body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) {
        let length = head.count + body.count
        self.mask = self.mask &* 1_664_525 &+ 1_013_904_223
        let key = self.mask
        self.connection.write { output in
            output.append(start)
            switch length {
            case ..<126: output.append(0x80 | UInt8(length))
            case ..<65536: output.append(contentsOf: [0xFE, UInt8(length >> 8), UInt8(length & 0xFF)])
            default:
                output.append(0xFF)
                for shift in stride(from: 56, through: 0, by: -8) { output.append(UInt8(length >> shift & 0xFF)) }
            }
            withUnsafeBytes(of: key) { output.append(contentsOf: $0) }
            let start = output.count
            output.append(contentsOf: head)
            output.append(contentsOf: body)
            output.withUnsafeMutableBytes { Self.apply(key, to: UnsafeMutableRawBufferPointer(rebasing: $0[start...])) }
        }
    }

    private static func apply(_ key: UInt32, to bytes: UnsafeMutableRawBufferPointer) {
        let wide = UInt64(key) << 32 | UInt64(key)
        var index = 0
        while index + 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            bytes.storeBytes(of: word ^ wide, toByteOffset: index, as: UInt64.self)
            index += 8
        }
        withUnsafeBytes(of: key) { key in
            while index < bytes.count {
                bytes[index] ^= key[index & 3]
                index += 1
            }
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        guard self.inputStart < self.input.count || !self.isOpen else {
            // Nothing waits: parse where the bytes are, and keep only what is left of a frame.
            self.input.removeAll(keepingCapacity: true)
            self.inputStart = 0
            let used = self.parse(bytes)
            self.input.append(contentsOf: bytes[used...])
            return
        }
        self.input.append(contentsOf: bytes)
        if !self.isOpen {
            guard let end = self.endOfHead() else { return }
            self.isOpen = self.input.starts(with: "HTTP/1.1 101".utf8)
            self.inputStart = end
            guard self.isOpen else {
                self.connection.close()
                return self.onRefused()
            }
            self.onOpen()
        }
        let used = self.input.withUnsafeBytes { self.parse(UnsafeRawBufferPointer(rebasing: $0[self.inputStart...])) }
        self.inputStart += used
        if self.inputStart == self.input.count || self.inputStart > 1 << 20 {
            self.input.removeFirst(self.inputStart)
            self.inputStart = 0
        }
    }

    private func endOfHead() -> Int? {
        let mark: [UInt8] = [13, 10, 13, 10]
        guard self.input.count >= 4 else { return nil }
        return (0...(self.input.count - 4)).first { Array(self.input[$0..<$0 + 4]) == mark }.map { $0 + 4 }
    }

    /// Passes up the complete frames of `bytes`.
    /// - Returns: How many bytes they were.
    private func parse(_ bytes: UnsafeRawBufferPointer) -> Int {
        var position = 0
        while bytes.count - position >= 2 {
            var length = Int(bytes[position + 1] & 0x7F)
            var header = 2
            if length == 126 {
                guard bytes.count - position >= 4 else { break }
                header = 4
                length = Int(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: position + 2, as: UInt16.self)))
            } else if length == 127 {
                guard bytes.count - position >= 10 else { break }
                header = 10
                length = Int(UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: position + 2, as: UInt64.self)))
            }
            guard bytes.count - position >= header + length else { break }
            let payload = UnsafeRawBufferPointer(rebasing: bytes[position + header..<position + header + length])
            switch bytes[position] & 0x0F {
            case 1: self.onMessage(payload, true)
            case 2: self.onMessage(payload, false)
            case 9:
                self.connection.write { $0.append(contentsOf: [0x8A, 0x80 | UInt8(length), 0, 0, 0, 0] + payload) }
                self.connection.flush()
            default: break
            }
            position += header + length
        }
        return position
    }
}
