import NIOCore

/// The known members of an event, as they were found; of a repeated one the first.
private struct EventMembers {
    var ev: JSONValue?
    var id: JSONValue?
    var data: JSONValue?
    var port: JSONValue?
    var connection: JSONValue?
    var local: JSONValue?
    var remote: JSONValue?
    var code: JSONValue?
    var msg: JSONValue?
    var retryAfter: JSONValue?
    var addr: JSONValue?
    var addrs: JSONValue?

    /// Throws if the text is not a JSON object; what was read until then is kept.
    mutating func read(_ text: UnsafeRawBufferPointer) throws(JSONFault) {
        var scanner = JSONScanner(text)
        try scanner.openObject()
        while let key = try scanner.nextKey() {
            let value = try scanner.value()
            if text.equals(key, "id") {
                id = id ?? value
            } else if text.equals(key, "ev") {
                ev = ev ?? value
            } else if text.equals(key, "data") {
                data = data ?? value
            } else if text.equals(key, "port") {
                port = port ?? value
            } else if text.equals(key, "conn_id") {
                connection = connection ?? value
            } else if text.equals(key, "local") {
                local = local ?? value
            } else if text.equals(key, "remote") {
                remote = remote ?? value
            } else if text.equals(key, "code") {
                code = code ?? value
            } else if text.equals(key, "msg") {
                msg = msg ?? value
            } else if text.equals(key, "retry_after_ms") {
                retryAfter = retryAfter ?? value
            } else if text.equals(key, "addr") {
                addr = addr ?? value
            } else if text.equals(key, "addrs") {
                addrs = addrs ?? value
            }
        }
        try scanner.finish()
    }
}

extension Event {
    init(json: ByteBuffer) throws(MalformedMessage) {
        let result = json.withUnsafeReadableBytes { text in
            Result { () throws(MalformedMessage) in try Event(json: text) }
        }
        self = try result.get()
    }

    private init(json text: UnsafeRawBufferPointer) throws(MalformedMessage) {
        var members = EventMembers()
        do throws(JSONFault) {
            try members.read(text)
        } catch {
            throw MalformedMessage(id: JSONFields.id(members.id, in: text), error.message)
        }
        var fields = JSONFields(text: text, id: JSONFields.id(members.id, in: text))
        let type: EventType = try fields.type(members.ev, "ev") { $0.name }
        let id = try fields.readID(members.id)
        switch type {
        case .data:
            self = .data(id, try fields.base64(members.data))
        case .connected:
            let local = try fields.string(members.local, "local", default: "")
            let remote = try fields.string(members.remote, "remote", default: "")
            self = .connected(id, local: local, remote: remote, alpn: nil)
        case .listening:
            self = .listening(id, port: try fields.integer(members.port, "port"))
        case .udpBound:
            self = .udpBound(id, port: try fields.integer(members.port, "port"))
        case .accepted:
            let connection: SocketID = try fields.integer(members.connection, "conn_id")
            self = .accepted(id, connection: connection, remote: try fields.string(members.remote, "remote"))
        case .closed:
            let word = try fields.string(members.code, "code", default: "")
            self = .closed(id, ReasonCode(word: word) ?? .normal, message: "")
        case .error, .denied:
            let isDenial = type == .denied
            let word = try fields.string(members.code, "code", default: "")
            let code = ReasonCode(word: word).flatMap { $0.isDenial == isDenial ? $0 : nil }
            let retry: UInt32 = try fields.integer(members.retryAfter, "retry_after_ms", default: 0)
            let message = try fields.string(members.msg, "msg")
            let known = code ?? ReasonCode.unnamed(isDenial: isDenial)
            self = .refused(id, Refusal(known, message, retryAfterMilliseconds: retry))
        case .dataFrom:
            let payload = try fields.base64(members.data)
            let host = try fields.string(members.addr, "addr")
            self = .dataFrom(id, payload, host: host, port: try fields.integer(members.port, "port"))
        case .resolved:
            self = .resolved(id, addresses: try fields.strings(members.addrs, "addrs"))
        case .window, .end, .goaway, .hello:
            // These have no name to be found by.
            throw fields.fail("ev is not of this version")
        }
    }

    /// Returns false, with nothing written, if v1 cannot express it.
    func writeJSON(into buffer: inout ByteBuffer) -> Bool {
        switch self {
        case .data(let id, let payload):
            return buffer.writeJSONData(key: "ev", name: "data", id: id, payload: payload)
        case .connected(let id, let local, let remote, _):
            buffer.writeJSONStart(key: "ev", name: "connected", id: id)
            buffer.writeJSONField("local", local)
            buffer.writeJSONField("remote", remote)
        case .listening(let id, let port):
            buffer.writeJSONStart(key: "ev", name: "listening", id: id)
            buffer.writeJSONField("port", port)
        case .udpBound(let id, let port):
            buffer.writeJSONStart(key: "ev", name: "udp_bound", id: id)
            buffer.writeJSONField("port", port)
        case .accepted(let id, let connection, let remote):
            buffer.writeJSONStart(key: "ev", name: "accepted", id: id)
            buffer.writeJSONField("conn_id", connection)
            buffer.writeJSONField("remote", remote)
        case .closed(let id, let code, _):
            buffer.writeJSONStart(key: "ev", name: "closed", id: id)
            buffer.writeJSONField("code", code.word)
        case .refused(let id, let refusal):
            buffer.writeJSONStart(key: "ev", name: refusal.code.isDenial ? "denied" : "error", id: id)
            buffer.writeJSONField("msg", refusal.message)
            buffer.writeJSONField("code", refusal.code.word)
            if refusal.retryAfterMilliseconds != 0 {
                buffer.writeJSONField("retry_after_ms", refusal.retryAfterMilliseconds)
            }
        case .dataFrom(let id, let payload, let host, let port):
            guard host.utf8.count <= Int(UInt16.max), payload.readableBytes <= WireLimits.payload else { return false }
            buffer.writeJSONStart(key: "ev", name: "data_from", id: id)
            buffer.writeJSONField("data", base64: payload)
            buffer.writeJSONField("addr", host)
            buffer.writeJSONField("port", port)
        case .resolved(let id, let addresses):
            buffer.writeJSONStart(key: "ev", name: "resolved", id: id)
            buffer.writeJSONKey("addrs")
            buffer.writeJSONStrings(addresses)
        case .hello, .window, .end, .goaway:
            return false
        }
        buffer.writeJSONEnd()
        return true
    }
}
