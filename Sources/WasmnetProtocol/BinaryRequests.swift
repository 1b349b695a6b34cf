import NIOCore

extension Request {
    /// A binary `send`, or nil for anything else.
    @inline(__always)
    init?(binarySend message: ByteBuffer) {
        let start = message.readerIndex
        guard message.getInteger(at: start, as: UInt8.self) == RequestType.send.rawValue,
            let id = message.getInteger(at: start + 1, as: UInt64.self),
            let payload = message.getSlice(
                at: start + BinaryMessage.headerLength, length: message.readableBytes - BinaryMessage.headerLength)
        else { return nil }
        self = .send(id, payload)
    }

    init(binary: ByteBuffer, version: WireVersion) throws(MalformedMessage) {
        var message = try BinaryMessage(binary)
        let id = message.id
        guard let type = RequestType(rawValue: message.type), version == .v2 || !type.isVersion2Only else {
            throw message.fail("unknown type \(hexByte(message.type))")
        }
        switch type {
        case .send:
            self = .send(id, message.payload)
        case .connect:
            let (host, port) = try message.target()
            self = .connect(id, host: host, port: port)
        case .connectTLS:
            let (host, port) = try message.target()
            self = .connectTLS(id, host: host, port: port)
        case .connectUDP:
            let (host, port) = try message.target()
            self = .connectUDP(id, host: host, port: port)
        case .bind:
            let (host, port) = try message.target()
            self = .bind(id, host: host, port: port)
        case .bindUDP:
            let (host, port) = try message.target()
            self = .bindUDP(id, host: host, port: port)
        case .listen:
            let isShort = message.payload.readableBytes == 0
            let backlog = isShort ? WireLimits.defaultBacklog : try message.integer("backlog")
            try message.end("listen")
            self = .listen(id, backlog: backlog)
        case .sendTo:
            let port = try message.integer("port", as: UInt16.self)
            let length = try message.integer("the length of addr", as: UInt16.self)
            let host = try message.address("addr", length: Int(length))
            self = .sendTo(id, host: host, port: port, message.payload.slice())
        case .resolve:
            self = .resolve(id, name: try message.address("name"))
        case .window:
            let bytes = try message.integer("window", as: UInt32.self)
            try message.end("window")
            self = .window(id, bytes: bytes)
        case .close:
            try message.end("close")
            self = .close(id)
        case .shutdown:
            try message.end("shutdown")
            self = .shutdown(id)
        case .reset:
            try message.end("reset")
            self = .reset(id)
        }
    }

    /// Returns false, with nothing written, if the version cannot express it.
    func writeBinary(version: WireVersion, into buffer: inout ByteBuffer) -> Bool {
        switch self {
        case .connect(let id, let host, let port): buffer.writeTarget(.connect, id, host, port)
        case .connectTLS(let id, let host, let port): buffer.writeTarget(.connectTLS, id, host, port)
        case .connectUDP(let id, let host, let port): buffer.writeTarget(.connectUDP, id, host, port)
        case .bind(let id, let host, let port): buffer.writeTarget(.bind, id, host, port)
        case .bindUDP(let id, let host, let port): buffer.writeTarget(.bindUDP, id, host, port)
        case .listen(let id, let backlog):
            buffer.writeHeader(request: .listen, id)
            buffer.writeInteger(backlog)
        case .send(let id, let payload):
            guard payload.readableBytes <= WireLimits.payload else { return false }
            buffer.writeHeader(request: .send, id)
            buffer.writePayload(payload)
        case .sendTo(let id, let host, let port, let payload):
            guard let length = UInt16(exactly: host.utf8.count), payload.readableBytes <= WireLimits.payload else {
                return false
            }
            buffer.writeHeader(request: .sendTo, id)
            buffer.writeMultipleIntegers(port, length)
            buffer.writeString(host)
            buffer.writePayload(payload)
        case .close(let id): buffer.writeHeader(request: .close, id)
        case .resolve(let id, let name):
            buffer.writeHeader(request: .resolve, id)
            buffer.writeString(name)
        case .window(let id, let bytes):
            guard version == .v2 else { return false }
            buffer.writeHeader(request: .window, id)
            buffer.writeInteger(bytes)
        case .shutdown(let id):
            guard version == .v2 else { return false }
            buffer.writeHeader(request: .shutdown, id)
        case .reset(let id):
            guard version == .v2 else { return false }
            buffer.writeHeader(request: .reset, id)
        }
        return true
    }
}

extension BinaryMessage {
    /// u16 port, then the host to the end.
    fileprivate mutating func target() throws(MalformedMessage) -> (host: String, port: UInt16) {
        let port = try integer("port", as: UInt16.self)
        return (try address("addr"), port)
    }
}

extension ByteBuffer {
    fileprivate mutating func writeTarget(_ type: RequestType, _ id: SocketID, _ host: String, _ port: UInt16) {
        writeHeader(request: type, id)
        writeInteger(port)
        writeString(host)
    }
}
