/// Whether bytes that arrive in pieces are UTF-8 (RFC 3629, section 4: no surrogates, nothing above U+10FFFF, fewest bytes).
struct UTF8Check {
    /// Bytes of the present character still missing.
    private var missing = 0
    /// The range of the next of them.
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    /// Whether the bytes so far end with a complete character.
    var isComplete: Bool { self.missing == 0 }

    /// - Returns: false if the bytes, behind those before, cannot be UTF-8 whatever follows.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var index = 0
        while index < bytes.count {
            if self.missing == 0 {
                // Text is mostly ASCII: eight bytes a step.
                while bytes.count - index >= 8,
                    bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 == 0
                { index += 8 }
                guard index < bytes.count else { break }
            }
            guard self.take(bytes[index]) else { return false }
            index += 1
        }
        return true
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        if self.missing > 0 {
            guard byte >= self.lowest, byte <= self.highest else { return false }
            self.missing -= 1
            (self.lowest, self.highest) = (0x80, 0xBF)
            return true
        }
        switch byte {
        case 0x00...0x7F: break
        case 0xC2...0xDF: self.missing = 1
        case 0xE0: (self.missing, self.lowest) = (2, 0xA0)
        case 0xED: (self.missing, self.highest) = (2, 0x9F)
        case 0xE1...0xEF: self.missing = 2
        case 0xF0: (self.missing, self.lowest) = (3, 0x90)
        case 0xF4: (self.missing, self.highest) = (3, 0x8F)
        case 0xF1...0xF3: self.missing = 3
        default: return false
        }
        return true
    }
}
