import NIOCore

// JSON inside binary events: `hello` and `connected` of v2, and `resolved`.

extension ByteBuffer {
    mutating func writeHello(_ hello: Hello) {
        writeString("{\"version\":")
        writeJSONString(hello.version)
        writeJSONField("node", hello.node)
        writeJSONField("session", hello.session)
        writeJSONField("window", hello.window)
        writeJSONField("max_message", hello.maxMessage)
        writeJSONField("max_sockets", hello.maxSockets)
        writeJSONField("heartbeat_ms", hello.heartbeatMilliseconds)
        writeJSONEnd()
    }

    mutating func writeConnected(local: String, remote: String, alpn: String?) {
        writeString("{\"local\":")
        writeJSONString(local)
        writeJSONField("remote", remote)
        if let alpn { writeJSONField("alpn", alpn) }
        writeJSONEnd()
    }
}

extension Event {
    init(hello payload: ByteBuffer, id: SocketID) throws(MalformedMessage) {
        self = try payload.readJSON(id: id) { (object, fields) throws(MalformedMessage) in
            .hello(
                Hello(
                    version: try fields.string(object["version"], "version"),
                    node: try fields.string(object["node"], "node"),
                    session: try fields.string(object["session"], "session"),
                    window: try fields.integer(object["window"], "window"),
                    maxMessage: try fields.integer(object["max_message"], "max_message"),
                    maxSockets: try fields.integer(object["max_sockets"], "max_sockets"),
                    heartbeatMilliseconds: try fields.integer(object["heartbeat_ms"], "heartbeat_ms")))
        }
    }

    init(connected payload: ByteBuffer, id: SocketID) throws(MalformedMessage) {
        self = try payload.readJSON(id: id) { (object, fields) throws(MalformedMessage) in
            let local = try fields.string(object["local"], "local")
            let remote = try fields.string(object["remote"], "remote")
            let alpn = fields.isAbsent(object["alpn"]) ? nil : try fields.string(object["alpn"], "alpn")
            return .connected(id, local: local, remote: remote, alpn: alpn)
        }
    }

    init(resolved payload: ByteBuffer, id: SocketID) throws(MalformedMessage) {
        let result = payload.withUnsafeReadableBytes { text in
            Result { () throws(MalformedMessage) in
                let value: JSONValue
                do throws(JSONFault) {
                    var scanner = JSONScanner(text)
                    value = try scanner.value()
                    try scanner.finish()
                } catch {
                    throw MalformedMessage(id: id, error.message)
                }
                return try JSONFields(text: text, id: id).strings(value, "addrs")
            }
        }
        self = .resolved(id, addresses: try result.get())
    }
}

extension ByteBuffer {
    /// Scans the readable bytes as one object; of a repeated key the first counts.
    fileprivate func readJSON(
        id: SocketID, _ body: ([String: JSONValue], JSONFields) throws(MalformedMessage) -> Event
    ) throws(MalformedMessage) -> Event {
        let result = withUnsafeReadableBytes { text in
            Result { () throws(MalformedMessage) in
                var object: [String: JSONValue] = [:]
                do throws(JSONFault) {
                    var scanner = JSONScanner(text)
                    try scanner.openObject()
                    while let key = try scanner.nextKey() {
                        let value = try scanner.value()
                        let name = text.string(key)
                        object[name] = object[name] ?? value
                    }
                    try scanner.finish()
                } catch {
                    throw MalformedMessage(id: id, error.message)
                }
                return try body(object, JSONFields(text: text, id: id))
            }
        }
        return try result.get()
    }
}
