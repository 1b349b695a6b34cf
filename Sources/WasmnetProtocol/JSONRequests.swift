import NIOCore

/// The known members of a request, as they were found; of a repeated one the first.
private struct RequestMembers {
    var op: JSONValue?
    var id: JSONValue?
    var addr: JSONValue?
    var port: JSONValue?
    var data: JSONValue?
    var name: JSONValue?
    var backlog: JSONValue?

    /// Throws if the text is not a JSON object; what was read until then is kept.
    mutating func read(_ text: UnsafeRawBufferPointer) throws(JSONFault) {
        var scanner = JSONScanner(text)
        try scanner.openObject()
        while let key = try scanner.nextKey() {
            let value = try scanner.value()
            if text.equals(key, "id") {
                id = id ?? value
            } else if text.equals(key, "op") {
                op = op ?? value
            } else if text.equals(key, "data") {
                data = data ?? value
            } else if text.equals(key, "addr") {
                addr = addr ?? value
            } else if text.equals(key, "port") {
                port = port ?? value
            } else if text.equals(key, "name") {
                name = name ?? value
            } else if text.equals(key, "backlog") {
                backlog = backlog ?? value
            }
        }
        try scanner.finish()
    }
}

extension Request {
    init(json: ByteBuffer) throws(MalformedMessage) {
        let result = json.withUnsafeReadableBytes { text in
            Result { () throws(MalformedMessage) in try Request(json: text) }
        }
        self = try result.get()
    }

    private init(json text: UnsafeRawBufferPointer) throws(MalformedMessage) {
        var members = RequestMembers()
        do throws(JSONFault) {
            try members.read(text)
        } catch {
            throw MalformedMessage(id: JSONFields.id(members.id, in: text), error.message)
        }
        var fields = JSONFields(text: text, id: JSONFields.id(members.id, in: text))
        let type: RequestType = try fields.type(members.op, "op") { $0.name }
        let id = try fields.readID(members.id)

        func target() throws(MalformedMessage) -> (host: String, port: UInt16) {
            (try fields.address(members.addr, "addr"), try fields.integer(members.port, "port"))
        }
        switch type {
        case .send:
            self = .send(id, try fields.base64(members.data))
        case .connect:
            let (host, port) = try target()
            self = .connect(id, host: host, port: port)
        case .connectTLS:
            let (host, port) = try target()
            self = .connectTLS(id, host: host, port: port)
        case .connectUDP:
            let (host, port) = try target()
            self = .connectUDP(id, host: host, port: port)
        case .bind:
            let (host, port) = try target()
            self = .bind(id, host: host, port: port)
        case .bindUDP:
            let (host, port) = try target()
            self = .bindUDP(id, host: host, port: port)
        case .listen:
            let backlog = try fields.integer(members.backlog, "backlog", default: WireLimits.defaultBacklog)
            self = .listen(id, backlog: backlog)
        case .sendTo:
            let (host, port) = try target()
            self = .sendTo(id, host: host, port: port, try fields.base64(members.data))
        case .close:
            self = .close(id)
        case .resolve:
            self = .resolve(id, name: try fields.address(members.name, "name"))
        case .window, .shutdown, .reset:
            // These have no name to be found by.
            throw fields.fail("op is not of this version")
        }
    }

    /// Returns false, with nothing written, if v1 cannot express it.
    func writeJSON(into buffer: inout ByteBuffer) -> Bool {
        switch self {
        case .connect(let id, let host, let port): buffer.writeTarget("connect", id, host, port)
        case .connectTLS(let id, let host, let port): buffer.writeTarget("connect_tls", id, host, port)
        case .connectUDP(let id, let host, let port): buffer.writeTarget("connect_udp", id, host, port)
        case .bind(let id, let host, let port): buffer.writeTarget("bind", id, host, port)
        case .bindUDP(let id, let host, let port): buffer.writeTarget("bind_udp", id, host, port)
        case .listen(let id, let backlog):
            buffer.writeJSONStart(key: "op", name: "listen", id: id)
            buffer.writeJSONField("backlog", backlog)
        case .send(let id, let payload):
            return buffer.writeJSONData(key: "op", name: "send", id: id, payload: payload)
        case .sendTo(let id, let host, let port, let payload):
            guard host.utf8.count <= Int(UInt16.max), payload.readableBytes <= WireLimits.payload else { return false }
            buffer.writeTarget("send_to", id, host, port)
            buffer.writeJSONField("data", base64: payload)
        case .close(let id):
            buffer.writeJSONStart(key: "op", name: "close", id: id)
        case .resolve(let id, let name):
            buffer.writeJSONStart(key: "op", name: "resolve", id: id)
            buffer.writeJSONField("name", name)
        case .window, .shutdown, .reset:
            return false
        }
        buffer.writeJSONEnd()
        return true
    }
}

extension ByteBuffer {
    fileprivate mutating func writeTarget(_ name: StaticString, _ id: SocketID, _ host: String, _ port: UInt16) {
        writeJSONStart(key: "op", name: name, id: id)
        writeJSONField("addr", host)
        writeJSONField("port", port)
    }
}
