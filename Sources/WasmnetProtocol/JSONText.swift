/// What follows a backslash in a JSON string (RFC 8259, section 7).
struct JSONEscape {
    var scalar: Unicode.Scalar
    /// Bytes after the backslash: 1, 5, or 11 for a surrogate pair.
    var length: Int

    /// Nil for anything but a complete escape, including lone surrogates.
    init?(_ text: UnsafeRawBufferPointer, at position: Int) {
        guard position < text.count else { return nil }
        length = 1
        switch text[position] {
        case UInt8(ascii: "\""): scalar = "\""
        case UInt8(ascii: "\\"): scalar = "\\"
        case UInt8(ascii: "/"): scalar = "/"
        case UInt8(ascii: "b"): scalar = "\u{8}"
        case UInt8(ascii: "f"): scalar = "\u{C}"
        case UInt8(ascii: "n"): scalar = "\n"
        case UInt8(ascii: "r"): scalar = "\r"
        case UInt8(ascii: "t"): scalar = "\t"
        case UInt8(ascii: "u"):
            guard let unit = Self.codeUnit(text, at: position) else { return nil }
            length = 5
            guard unit & 0xFC00 == 0xD800 else {
                guard let single = Unicode.Scalar(unit) else { return nil }
                scalar = single
                return
            }
            guard position + 5 < text.count, text[position + 5] == UInt8(ascii: "\\"),
                let low = Self.codeUnit(text, at: position + 6), low & 0xFC00 == 0xDC00,
                let pair = Unicode.Scalar(0x10000 + (unit & 0x3FF) << 10 + (low & 0x3FF))
            else { return nil }
            scalar = pair
            length = 11
        default: return nil
        }
    }

    /// The value of `uXXXX`.
    private static func codeUnit(_ text: UnsafeRawBufferPointer, at position: Int) -> UInt32? {
        guard position + 5 <= text.count, text[position] == UInt8(ascii: "u") else { return nil }
        var unit: UInt32 = 0
        for digit in text[position + 1..<position + 5] {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): unit = unit << 4 | UInt32(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): unit = unit << 4 | UInt32(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): unit = unit << 4 | UInt32(digit - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return unit
    }
}

extension UnsafeRawBufferPointer {
    /// The position of the next quotation mark, backslash or control character, or the end of the bytes.
    func endOfPlainText(from start: Int, isASCII: inout Bool) -> Int {
        var position = start
        var bits = ByteVector()
        while position + 32 <= count {
            let block = loadUnaligned(fromByteOffset: position, as: ByteVector.self)
            let special =
                block.equals(UInt8(ascii: "\"")).or(block.equals(UInt8(ascii: "\\"))).or(block.isLess(than: 0x20))
            // The block with the end in it is walked below, so that bytes after the string do not count.
            guard special.isZero else { break }
            bits = bits.or(block)
            position += 32
        }
        var tailBits: UInt8 = 0
        while position < count {
            let byte = self[position]
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
            tailBits |= byte
            position += 1
        }
        if tailBits >= 0x80 || !bits.isASCII { isASCII = false }
        return position
    }

    func isUTF8(from start: Int, to end: Int) -> Bool {
        let region = UnsafeRawBufferPointer(rebasing: self[start..<end])
        return region.withMemoryRebound(to: UInt8.self) { bytes in
            (try? UTF8Span(validating: bytes.span)) != nil
        }
    }

    /// The bytes between the quotation marks, including escapes.
    func raw(_ text: JSONText) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[text.start..<text.end])
    }

    /// The string's bytes with its escapes resolved: all of them, or at least `limit`.
    func unescaped(_ text: JSONText, limit: Int = .max) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Swift.min(limit, text.end - text.start))
        var position = text.start
        while position < text.end, result.count < limit {
            let byte = self[position]
            position += 1
            if byte == UInt8(ascii: "\\"), let escape = JSONEscape(self, at: position) {
                result.append(contentsOf: UTF8.encode(escape.scalar) ?? UTF8.encodedReplacementCharacter)
                position += escape.length
            } else {
                result.append(byte)
            }
        }
        return result
    }

    func string(_ text: JSONText) -> String {
        guard text.hasEscapes else { return String(decoding: raw(text), as: UTF8.self) }
        return String(decoding: unescaped(text), as: UTF8.self)
    }

    func equals(_ text: JSONText, _ word: StaticString) -> Bool {
        let word = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        guard text.hasEscapes else { return raw(text).elementsEqual(word) }
        return unescaped(text, limit: word.count + 1).elementsEqual(word)
    }
}
