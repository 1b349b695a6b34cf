import Foundation

/// base64url without padding, as JOSE has it (RFC 7515, section 2).
package enum Base64URL {
    /// Nil for padding, other characters, and lengths or last bits that no encoder writes.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var standard = ""
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: standard.unicodeScalars.append(Unicode.Scalar(byte))
            case UInt8(ascii: "-"): standard += "+"
            case UInt8(ascii: "_"): standard += "/"
            default: return nil
            }
        }
        guard standard.utf8.count % 4 != 1 else { return nil }
        standard += String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: standard), self.encode(Array(data)).utf8.elementsEqual(text.utf8) else {
            return nil
        }
        return Array(data)
    }

    package static func encode(_ bytes: [UInt8]) -> String {
        String(
            Data(bytes).base64EncodedString().compactMap { character -> Character? in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }
}
