/// How external text is shown, in the log and on a terminal: it cannot end its line, control a terminal or reverse the text's direction.
extension ByteText {
    /// The most bytes of one field of the log.
    package static let maxShown = 256

    /// Control (C0, DEL, C1), format (including bidi) and separator characters as JSON escapes, invalid UTF-8 bytes as `\xFF`.
    ///
    /// - Parameters:
    ///   - most: the most bytes of the result. A longer one is cut between characters and ends in `...`. Nil: no limit.
    ///   - quoting: whether quotes and backslashes are escaped too, for the inside of a JSON string.
    package func shown(upTo most: Int? = Self.maxShown, quoting: Bool = false) -> String {
        let most = most ?? .max
        if self.count <= most, self.bytes.allSatisfy({ Self.isPlain($0, quoting: quoting) }) { return self.text }
        var result: [UInt8] = []
        // Where it is cut if the rest does not fit.
        var cut = 0
        var position = self.bytes.startIndex
        var input = self.bytes.makeIterator()
        var parser = Unicode.UTF8.ForwardParser()
        while true {
            let piece: String
            switch parser.parseScalar(from: &input) {
            case .valid(let encoded):
                piece = Self.shown(Unicode.UTF8.decode(encoded), quoting: quoting)
                position += encoded.count
            case .error(let length):
                let bytes = self.bytes[position..<min(position + length, self.bytes.endIndex)]
                piece = bytes.map { (quoting ? "\\\\" : "\\") + "x" + Self.hex(UInt32($0), digits: 2) }.joined()
                position += length
            case .emptyInput: return String(decoding: result, as: UTF8.self)
            }
            guard result.count + piece.utf8.count <= most else {
                return String(decoding: result.prefix(cut), as: UTF8.self) + "..."
            }
            result += piece.utf8
            if result.count <= most - 3 { cut = result.count }
        }
    }

    private static func isPlain(_ byte: UInt8, quoting: Bool) -> Bool {
        (0x20...0x7E).contains(byte) && !(quoting && (byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")))
    }

    private static func shown(_ scalar: Unicode.Scalar, quoting: Bool) -> String {
        switch scalar {
        case "\"" where quoting: return "\\\""
        case "\\" where quoting: return "\\\\"
        case " "..."~": return String(Character(scalar))
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: break
        }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator:
            return String(scalar).utf16.map { "\\u" + Self.hex(UInt32($0), digits: 4) }.joined()
        default: return String(Character(scalar))
        }
    }
}

extension StringProtocol {
    /// This text as ``ByteText/shown(upTo:quoting:)`` shows it.
    package func shown(upTo most: Int? = ByteText.maxShown, quoting: Bool = false) -> String {
        ByteText(self).shown(upTo: most, quoting: quoting)
    }

    /// Several lines for a terminal, each shown separately and in full.
    package var shownLines: String {
        ByteText(self).split(at: "\n").map { $0.shown(upTo: nil) }.joined(separator: "\n")
    }
}
