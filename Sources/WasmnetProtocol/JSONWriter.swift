import NIOCore

extension ByteBuffer {
    /// `{"<key>":"<name>","id":<id>`: the beginning of every message; the names need no escapes.
    mutating func writeJSONStart(key: StaticString, name: StaticString, id: SocketID) {
        writeString("{\"")
        writeStaticString(key)
        writeString("\":\"")
        writeStaticString(name)
        writeString("\",\"id\":")
        writeDecimal(id)
    }

    /// `,"<key>":<number>`
    mutating func writeJSONField(_ key: StaticString, _ number: some FixedWidthInteger & UnsignedInteger) {
        writeJSONKey(key)
        writeDecimal(UInt64(number))
    }

    /// `,"<key>":"<text>"`
    mutating func writeJSONField(_ key: StaticString, _ text: String) {
        writeJSONKey(key)
        writeJSONString(text)
    }

    /// `,"<key>":"<base64>"`
    mutating func writeJSONField(_ key: StaticString, base64 payload: ByteBuffer) {
        writeJSONKey(key)
        writeInteger(UInt8(ascii: "\""))
        writeBase64(payload)
        writeInteger(UInt8(ascii: "\""))
    }

    mutating func writeJSONKey(_ key: StaticString) {
        writeString(",\"")
        writeStaticString(key)
        writeString("\":")
    }

    mutating func writeJSONEnd() {
        writeInteger(UInt8(ascii: "}"))
    }

    /// A complete `send` or `data` message; false, with nothing written, if the payload is larger than 1 GiB.
    mutating func writeJSONData(key: StaticString, name: StaticString, id: SocketID, payload: ByteBuffer) -> Bool {
        guard payload.readableBytes <= WireLimits.payload else { return false }
        // The longest id has 20 digits; the fixed parts are shorter than 40 bytes.
        reserveCapacity(minimumWritableBytes: Base64.encodedLength(payload.readableBytes) + 64)
        writeJSONStart(key: key, name: name, id: id)
        writeJSONField("data", base64: payload)
        writeJSONEnd()
        return true
    }

    /// `["a","b"]`
    mutating func writeJSONStrings(_ texts: [String]) {
        writeInteger(UInt8(ascii: "["))
        var isFirst = true
        for text in texts {
            if !isFirst { writeInteger(UInt8(ascii: ",")) }
            isFirst = false
            writeJSONString(text)
        }
        writeInteger(UInt8(ascii: "]"))
    }

    /// The text in quotation marks, with only the escapes that RFC 8259 requires.
    mutating func writeJSONString(_ text: String) {
        writeInteger(UInt8(ascii: "\""))
        let needsEscapes = text.utf8.contains { Self.needsEscape($0) }
        if needsEscapes {
            for byte in text.utf8 { writeJSONByte(byte) }
        } else {
            writeString(text)
        }
        writeInteger(UInt8(ascii: "\""))
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private mutating func writeJSONByte(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): writeMultipleIntegers(UInt8(ascii: "\\"), byte)
        case 0x08: writeString("\\b")
        case 0x09: writeString("\\t")
        case 0x0A: writeString("\\n")
        case 0x0C: writeString("\\f")
        case 0x0D: writeString("\\r")
        case 0..<0x20:
            writeString("\\u00")
            writeInteger(Self.hexDigit(byte >> 4))
            writeInteger(Self.hexDigit(byte & 0xF))
        default: writeInteger(byte)
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    /// The number's decimal digits.
    mutating func writeDecimal(_ number: UInt64) {
        var length = 1
        var high = number
        while high >= 10 {
            high /= 10
            length += 1
        }
        writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            var rest = number
            for index in stride(from: length - 1, through: 0, by: -1) {
                target[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            return length
        }
    }

    /// The payload's readable bytes as padded base64.
    mutating func writeBase64(_ payload: ByteBuffer) {
        let length = Base64.encodedLength(payload.readableBytes)
        writeWithUnsafeMutableBytes(minimumWritableBytes: length) { target in
            payload.withUnsafeReadableBytes { Base64.encode($0, into: target) }
            return length
        }
    }
}
