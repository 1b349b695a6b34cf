import NIOCore

extension Event {
    /// Returns false, with nothing written, if the version cannot express it.
    func writeBinary(version: WireVersion, into buffer: inout ByteBuffer) -> Bool {
        switch self {
        case .data(let id, let payload):
            guard payload.readableBytes <= WireLimits.payload else { return false }
            buffer.writeHeader(event: .data, id)
            buffer.writePayload(payload)
        case .connected(let id, let local, let remote, let alpn):
            buffer.writeHeader(event: .connected, id)
            if version == .v2 { buffer.writeConnected(local: local, remote: remote, alpn: alpn) }
        case .listening(let id, let port):
            buffer.writeHeader(event: .listening, id)
            buffer.writeInteger(port)
        case .udpBound(let id, let port):
            buffer.writeHeader(event: .udpBound, id)
            buffer.writeInteger(port)
        case .accepted(let id, let connection, let remote):
            buffer.writeHeader(event: .accepted, id)
            buffer.writeInteger(connection)
            buffer.writeString(remote)
        case .closed(let id, let code, let message):
            buffer.writeHeader(event: .closed, id)
            if version == .v2 {
                buffer.writeInteger(code.rawValue)
                buffer.writeString(message)
            }
        case .refused(let id, let refusal):
            buffer.writeHeader(event: refusal.code.isDenial ? .denied : .error, id)
            if version == .v2 { buffer.writeMultipleIntegers(refusal.code.rawValue, refusal.retryAfterMilliseconds) }
            buffer.writeString(refusal.message)
        case .dataFrom(let id, let payload, let host, let port):
            guard let length = UInt16(exactly: host.utf8.count), payload.readableBytes <= WireLimits.payload else {
                return false
            }
            buffer.writeHeader(event: .dataFrom, id)
            buffer.writeMultipleIntegers(port, length)
            buffer.writeString(host)
            buffer.writePayload(payload)
        case .resolved(let id, let addresses):
            buffer.writeHeader(event: .resolved, id)
            buffer.writeJSONStrings(addresses)
        case .hello, .window, .end, .goaway:
            return version == .v2 && writeVersion2(into: &buffer)
        }
        return true
    }

    private func writeVersion2(into buffer: inout ByteBuffer) -> Bool {
        switch self {
        case .hello(let hello):
            buffer.writeHeader(event: .hello, .session)
            buffer.writeHello(hello)
        case .window(let id, let bytes):
            buffer.writeHeader(event: .window, id)
            buffer.writeInteger(bytes)
        case .end(let id):
            buffer.writeHeader(event: .end, id)
        case .goaway(let reconnect, let message):
            buffer.writeHeader(event: .goaway, .session)
            buffer.writeInteger(reconnect)
            buffer.writeString(message)
        default:
            return false
        }
        return true
    }

    init(binary: ByteBuffer, version: WireVersion) throws(MalformedMessage) {
        var message = try BinaryMessage(binary)
        let id = message.id
        guard let type = EventType(rawValue: message.type), version == .v2 || !type.isVersion2Only else {
            throw message.fail("unknown type \(hexByte(message.type))")
        }
        switch type {
        case .data:
            self = .data(id, message.payload)
        case .connected where version == .v2:
            self = try Event(connected: message.payload, id: id)
        case .connected:
            try message.end("connected")
            self = .connected(id, local: "", remote: "", alpn: nil)
        case .listening:
            self = .listening(id, port: try message.port(endOf: "listening"))
        case .udpBound:
            self = .udpBound(id, port: try message.port(endOf: "udp_bound"))
        case .accepted:
            let connection = try message.integer("conn_id", as: UInt64.self)
            self = .accepted(id, connection: connection, remote: try message.text("remote"))
        case .closed where version == .v2:
            let code = try message.code()
            self = .closed(id, code, message: try message.text("msg"))
        case .closed:
            try message.end("closed")
            self = .closed(id, .normal, message: "")
        case .error, .denied:
            self = .refused(id, try message.refusal(isDenial: type == .denied, version: version))
        case .dataFrom:
            let port = try message.integer("port", as: UInt16.self)
            let length = try message.integer("the length of addr", as: UInt16.self)
            let host = try message.text("addr", length: Int(length))
            self = .dataFrom(id, message.payload.slice(), host: host, port: port)
        case .resolved:
            self = try Event(resolved: message.payload, id: id)
        case .hello:
            self = try Event(hello: message.payload, id: id)
        case .window:
            let bytes = try message.integer("window", as: UInt32.self)
            try message.end("window")
            self = .window(id, bytes: bytes)
        case .end:
            try message.end("end")
            self = .end(id)
        case .goaway:
            let reconnect = try message.integer("reconnect_in_ms", as: UInt32.self)
            self = .goaway(reconnectInMilliseconds: reconnect, message: try message.text("msg"))
        }
    }
}

extension BinaryMessage {
    fileprivate mutating func port(endOf name: StaticString) throws(MalformedMessage) -> UInt16 {
        let port = try integer("port", as: UInt16.self)
        try end(name)
        return port
    }

    fileprivate mutating func code() throws(MalformedMessage) -> ReasonCode {
        let number = try integer("code", as: UInt8.self)
        guard let code = ReasonCode(rawValue: number) else { throw fail("unknown code \(number)") }
        return code
    }

    fileprivate mutating func refusal(isDenial: Bool, version: WireVersion) throws(MalformedMessage) -> Refusal {
        guard version == .v2 else {
            return Refusal(ReasonCode.unnamed(isDenial: isDenial), try text("msg"))
        }
        let code = try code()
        guard code.isDenial == isDenial else {
            throw fail("code \(code.rawValue) does not go with type \(hexByte(type))")
        }
        let retry = try integer("retry_after_ms", as: UInt32.self)
        return Refusal(code, try text("msg"), retryAfterMilliseconds: retry)
    }
}
