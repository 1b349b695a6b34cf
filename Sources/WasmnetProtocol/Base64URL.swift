/// base64url without padding (RFC 4648, section 5), as used by JOSE.
package enum Base64URL {
    /// Nil for padding, other characters, and lengths or last bits that no encoder produces.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var characters: [UInt8] = []
        characters.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"): characters.append(UInt8(ascii: "+"))
            case UInt8(ascii: "_"): characters.append(UInt8(ascii: "/"))
            case UInt8(ascii: "+"), UInt8(ascii: "/"): return nil
            default: characters.append(byte)
            }
        }
        guard characters.count % 4 != 1 else { return nil }
        var bytes = [UInt8](repeating: 0, count: Base64.decodedLength(characters.count))
        let isValid = characters.withUnsafeBytes { source in
            bytes.withUnsafeMutableBytes { Base64.decode(source, into: $0) }
        }
        guard isValid, self.encode(bytes).utf8.elementsEqual(text.utf8) else { return nil }
        return bytes
    }

    package static func encode(_ bytes: [UInt8]) -> String {
        var characters = [UInt8](repeating: 0, count: Base64.encodedLength(bytes.count))
        bytes.withUnsafeBytes { source in characters.withUnsafeMutableBytes { Base64.encode(source, into: $0) } }
        let text = characters.lazy.filter { $0 != UInt8(ascii: "=") }.map { byte in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }
        return String(decoding: Array(text), as: UTF8.self)
    }
}
