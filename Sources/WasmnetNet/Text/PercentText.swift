/// Percent-encoding (RFC 3986, section 2.1).
extension ByteText {
    /// Decodes each `%` and its two hexadecimal digits to a byte; nil for a `%` without them.
    package var percentDecoded: ByteText? {
        var bytes: [UInt8] = []
        var rest = self.bytes
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(Self.nibble), let low = rest.popFirst().flatMap(Self.nibble)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return ByteText(bytes)
    }

    /// Encodes each byte that `isPlain` rejects, and `%` itself, as `%` and two hexadecimal digits.
    package func percentEncoded(except isPlain: (UInt8) -> Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in self.bytes {
            if isPlain(byte), byte != UInt8(ascii: "%") {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes of hexadecimal digits, two for each; nil for anything else.
    package var hexDecoded: [UInt8]? {
        guard self.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var rest = self.bytes
        while let first = rest.popFirst() {
            guard let high = Self.nibble(first), let low = rest.popFirst().flatMap(Self.nibble) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}
