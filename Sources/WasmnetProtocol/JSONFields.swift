import NIOCore

/// The conversion of scanned values to fields. Each failure names the wrong field, and includes the message's id
/// if that was read.
struct JSONFields {
    let text: UnsafeRawBufferPointer
    var id: SocketID = .session

    func fail(_ problem: String) -> MalformedMessage { MalformedMessage(id: id, problem) }

    func isAbsent(_ value: JSONValue?) -> Bool {
        switch value {
        case nil, .null: true
        default: false
        }
    }

    /// The id, which later failures then include.
    mutating func readID(_ value: JSONValue?) throws(MalformedMessage) -> SocketID {
        id = try integer(value, "id")
        return id
    }

    /// The id for the failure of a truncated message: 0 if it was not read.
    static func id(_ value: JSONValue?, in text: UnsafeRawBufferPointer) -> SocketID {
        guard case .number(let number) = value else { return .session }
        return number.unsignedInteger(in: text) ?? .session
    }

    func integer<T: FixedWidthInteger & UnsignedInteger>(
        _ value: JSONValue?, _ field: StaticString, as type: T.Type = T.self
    ) throws(MalformedMessage) -> T {
        guard !isAbsent(value) else { throw fail("\(field) is missing") }
        guard case .number(let number) = value, let wide = number.unsignedInteger(in: text),
            let integer = T(exactly: wide)
        else { throw fail("\(field) is not an integer from 0 to \(T.max)") }
        return integer
    }

    func integer<T: FixedWidthInteger & UnsignedInteger>(
        _ value: JSONValue?, _ field: StaticString, default: T
    ) throws(MalformedMessage) -> T {
        isAbsent(value) ? `default` : try integer(value, field)
    }

    func string(_ value: JSONValue?, _ field: StaticString, limit: Int = .max) throws(MalformedMessage) -> String {
        guard !isAbsent(value) else { throw fail("\(field) is missing") }
        guard case .string(let string) = value else { throw fail("\(field) is not a string") }
        // The longest escape makes one byte of six.
        guard (string.end - string.start) / 6 <= limit else { throw tooLong(field, limit) }
        let result = text.string(string)
        guard result.utf8.count <= limit else { throw tooLong(field, limit) }
        return result
    }

    private func tooLong(_ field: StaticString, _ limit: Int) -> MalformedMessage {
        fail("\(field) is longer than \(limit) bytes")
    }

    func string(_ value: JSONValue?, _ field: StaticString, default: String) throws(MalformedMessage) -> String {
        isAbsent(value) ? `default` : try string(value, field)
    }

    /// A host or name of a request, limited to ``WireLimits/address``.
    func address(_ value: JSONValue?, _ field: StaticString) throws(MalformedMessage) -> String {
        try string(value, field, limit: WireLimits.address)
    }

    func base64(_ value: JSONValue?) throws(MalformedMessage) -> ByteBuffer {
        guard !isAbsent(value) else { throw fail("data is missing") }
        guard case .string(let string) = value else { throw fail("data is not a string") }
        let payload =
            string.hasEscapes
            ? text.unescaped(string).withUnsafeBytes { ByteBuffer(base64: $0) } : ByteBuffer(base64: text.raw(string))
        guard let payload else { throw fail("data is not base64") }
        return payload
    }

    func strings(_ value: JSONValue?, _ field: StaticString) throws(MalformedMessage) -> [String] {
        guard !isAbsent(value) else { throw fail("\(field) is missing") }
        guard case .array(let range) = value else { throw fail("\(field) is not an array") }
        var result: [String] = []
        do throws(JSONFault) {
            var scanner = JSONScanner(text, from: range.lowerBound)
            try scanner.openArray()
            while try scanner.nextElement() {
                guard case .string(let string) = try scanner.value() else {
                    throw JSONFault(offset: scanner.position, problem: "expected a string")
                }
                result.append(text.string(string))
            }
        } catch {
            throw fail("\(field) is not an array of strings")
        }
        return result
    }

    /// The `op` or `ev`.
    func type<T: CaseIterable>(
        _ value: JSONValue?, _ field: StaticString, name: (T) -> StaticString?
    ) throws(MalformedMessage) -> T {
        guard !isAbsent(value) else { throw fail("\(field) is missing") }
        guard case .string(let string) = value else { throw fail("\(field) is not a string") }
        for type in T.allCases {
            if let name = name(type), text.equals(string, name) { return type }
        }
        throw fail("unknown \(field) \(quote(string))")
    }

    /// The text quoted as in JSON, cut if it is long.
    private func quote(_ string: JSONText) -> String {
        let bytes = text.unescaped(string, limit: WireLimits.quoted + 1)
        let isCut = bytes.count > WireLimits.quoted
        var cut = bytes.prefix(WireLimits.quoted)
        // Not within a scalar.
        while isCut, !cut.isEmpty, bytes[cut.endIndex] & 0xC0 == 0x80 { cut.removeLast() }
        var quoted = ByteBuffer()
        quoted.writeJSONString(String(decoding: cut, as: UTF8.self))
        return String(buffer: quoted) + (isCut ? "..." : "")
    }
}

extension ByteBuffer {
    /// The decoded base64, in a buffer of exactly that size; nil if it is not valid base64.
    fileprivate init?(base64 characters: UnsafeRawBufferPointer) {
        guard let characters = Base64.unpadded(characters) else { return nil }
        let length = Base64.decodedLength(characters.count)
        self = ByteBufferAllocator().buffer(capacity: length)
        var isValid = true
        writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            isValid = Base64.decode(characters, into: target)
            return isValid ? length : 0
        }
        guard isValid else { return nil }
    }
}
