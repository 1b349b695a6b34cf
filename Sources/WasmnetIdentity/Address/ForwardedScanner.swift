import WasmnetNet

/// Reads a sequence of `token "=" ( token / quoted-string )` (RFC 7239, section 4; RFC 9110, sections 5.6.2 and 5.6.4).
struct ForwardedScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) {
        self.bytes = Array(text.utf8)
    }

    var isAtEnd: Bool { self.position >= self.bytes.count }

    private var current: UInt8? { self.isAtEnd ? nil : self.bytes[self.position] }

    mutating func skipSpace() {
        while let byte = self.current, byte == 0x20 || byte == 0x09 { self.position += 1 }
    }

    /// Skips the character and the space around it, if it is next.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        self.skipSpace()
        guard let byte = self.current, UInt32(byte) == character.value else { return false }
        self.position += 1
        self.skipSpace()
        return true
    }

    /// The next pair, its name in lower case; nil if none begins.
    mutating func pair() throws(ForwardedHeaders.Malformed) -> (name: ByteText, value: ByteText)? {
        self.skipSpace()
        let name = self.token()
        guard !name.isEmpty else { return nil }
        guard self.current == UInt8(ascii: "=") else { throw ForwardedHeaders.Malformed() }
        self.position += 1
        if self.current == UInt8(ascii: "\"") { return (name.lowercased, try self.quoted()) }
        let value = self.token()
        guard !value.isEmpty else { throw ForwardedHeaders.Malformed() }
        return (name.lowercased, value)
    }

    private mutating func token() -> ByteText {
        let start = self.position
        while let byte = self.current, Self.isTokenByte(byte) { self.position += 1 }
        return ByteText(self.bytes[start..<self.position])
    }

    private mutating func quoted() throws(ForwardedHeaders.Malformed) -> ByteText {
        self.position += 1
        var value: [UInt8] = []
        while let byte = self.current {
            self.position += 1
            switch byte {
            case UInt8(ascii: "\""): return ByteText(value)
            case UInt8(ascii: "\\"):
                guard let escaped = self.current else { throw ForwardedHeaders.Malformed() }
                self.position += 1
                value.append(escaped)
            default: value.append(byte)
            }
        }
        throw ForwardedHeaders.Malformed()
    }

    /// RFC 9110's token; and the colon, which many proxies leave unquoted in `for=192.0.2.1:80`.
    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "!#$%&'*+-.^_`|~:".utf8.contains(byte)
        }
    }
}
