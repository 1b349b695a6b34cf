/// Base64 with the standard alphabet (RFC 4648, section 4).
///
/// Both directions process 24 bytes or 32 characters at a time, by shifts and comparisons that every processor's vector
/// unit has and without tables. The remainder at the end takes the same steps, padded with zeros.
enum Base64 {
    private static let blockBytes = 24
    private static let blockCharacters = 32

    /// Characters, including padding, for this many bytes.
    static func encodedLength(_ bytes: Int) -> Int {
        (bytes + 2) / 3 * 4
    }

    /// Writes ``encodedLength(_:)`` characters, padded, to the start of `target`, which must have room for them.
    static func encode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) {
        let length = encodedLength(source.count)
        guard let from = source.baseAddress, let to = target.baseAddress, target.count >= length else { return }
        var read = 0
        var written = 0
        // A block is read as four overlapping words, the last of which ends two bytes after it.
        while source.count - read >= blockBytes + 2 {
            to.storeBytes(of: characters(from + read), toByteOffset: written, as: ByteVector.self)
            read += blockBytes
            written += blockCharacters
        }
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { scratch in
            guard let block = scratch.baseAddress else { return }
            while read < source.count {
                let bytes = min(source.count - read, blockBytes)
                let length = encodedLength(bytes)
                block.initializeMemory(as: UInt8.self, repeating: 0, count: blockCharacters)
                block.copyMemory(from: from + read, byteCount: bytes)
                block.storeBytes(of: characters(block), as: ByteVector.self)
                (to + written).copyMemory(from: block, byteCount: length)
                read += bytes
                written += length
            }
        }
        for index in 0..<(3 - source.count % 3) % 3 {
            target[length - 1 - index] = UInt8(ascii: "=")
        }
    }

    /// The characters without their padding; nil if the padding or the number of characters is wrong.
    ///
    /// Padding may be omitted entirely, but not partly.
    static func unpadded(_ source: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        var length = source.count
        if length > 0, length % 4 == 0, source[length - 1] == UInt8(ascii: "=") {
            length -= source[length - 2] == UInt8(ascii: "=") ? 2 : 1
        }
        guard length % 4 != 1 else { return nil }
        return UnsafeRawBufferPointer(rebasing: source[..<length])
    }

    /// Bytes for this many characters, without padding.
    static func decodedLength(_ characters: Int) -> Int {
        characters / 4 * 3 + characters % 4 * 3 / 4
    }

    /// Writes ``decodedLength(_:)`` bytes to the start of `target`, which must have room for them.
    ///
    /// - Parameter source: As ``unpadded(_:)`` returns it. Bits beyond the last byte are ignored, as most decoders do.
    /// - Returns: False if a character is not in the alphabet.
    static func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        guard let from = source.baseAddress, let to = target.baseAddress else { return source.isEmpty }
        guard target.count >= decodedLength(source.count) else { return false }
        var read = 0
        var written = 0
        // A block is written as four overlapping words, the last of which ends two bytes after it: three characters
        // more.
        while source.count - read >= blockCharacters + 4 {
            let block = source.loadUnaligned(fromByteOffset: read, as: ByteVector.self)
            guard storeBytes(block, to + written) else { return false }
            read += blockCharacters
            written += blockBytes
        }
        return withUnsafeTemporaryAllocation(byteCount: 64, alignment: 16) { scratch in
            guard let block = scratch.baseAddress else { return false }
            while read < source.count {
                let characters = min(source.count - read, blockCharacters)
                let length = decodedLength(characters)
                block.initializeMemory(as: UInt8.self, repeating: UInt8(ascii: "A"), count: blockCharacters)
                block.copyMemory(from: from + read, byteCount: characters)
                guard storeBytes(block.load(as: ByteVector.self), block) else { return false }
                (to + written).copyMemory(from: block, byteCount: length)
                read += characters
                written += length
            }
            return true
        }
    }

    // MARK: Blocks

    /// The 32 characters of 24 bytes; reads 26.
    @inline(__always)
    private static func characters(_ source: UnsafeRawPointer) -> ByteVector {
        let words = SIMD4<UInt64>(
            spread(source.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
            spread(source.loadUnaligned(fromByteOffset: 6, as: UInt64.self)),
            spread(source.loadUnaligned(fromByteOffset: 12, as: UInt64.self)),
            spread(source.loadUnaligned(fromByteOffset: 18, as: UInt64.self))
        )
        return alphabet(unsafeBitCast(words, to: ByteVector.self))
    }

    /// Converts the first six of eight bytes to eight sextets, one in each byte, all in memory order.
    @inline(__always)
    private static func spread(_ bytes: UInt64) -> UInt64 {
        let word = bytes.bigEndian
        let threes = (word &>> 40) | ((word &<< 16) & 0x00FF_FFFF_0000_0000)
        let pairs = ((threes &>> 12) & 0x0000_0FFF_0000_0FFF) | ((threes & 0x0000_0FFF_0000_0FFF) &<< 16)
        return (((pairs &>> 6) & 0x003F_003F_003F_003F) | ((pairs & 0x003F_003F_003F_003F) &<< 8)).littleEndian
    }

    /// Maps 0...63 to `A-Za-z0-9+/`.
    @inline(__always)
    private static func alphabet(_ sextets: ByteVector) -> ByteVector {
        // The distance to the character changes at 26, 52, 62 and 63; each step undoes one change, starting with the
        // last.
        var distance = ByteVector.all(UInt8(ascii: "/") &- 63)
        distance = distance &- sextets.isLess(than: 63).and(3)
        distance = distance &+ sextets.isLess(than: 62).and(15)
        distance = distance &+ sextets.isLess(than: 52).and(75)
        distance = distance &- sextets.isLess(than: 26).and(6)
        return sextets &+ distance
    }

    /// The 24 bytes of 32 characters; writes 26. False, with nothing written, if a character is not in the alphabet.
    @inline(__always)
    private static func storeBytes(_ block: ByteVector, _ target: UnsafeMutableRawPointer) -> Bool {
        let upper = block.isIn(UInt8(ascii: "A"), count: 26)
        let lower = block.isIn(UInt8(ascii: "a"), count: 26)
        let digit = block.isIn(UInt8(ascii: "0"), count: 10)
        let plus = block.equals(UInt8(ascii: "+"))
        let slash = block.equals(UInt8(ascii: "/"))
        guard upper.or(lower).or(digit).or(plus.or(slash)).isFull else { return false }
        // Each is the value of the group's first character minus that character.
        let letters = upper.and(0 &- UInt8(ascii: "A")).or(lower.and(26 &- UInt8(ascii: "a")))
        let signs = plus.and(62 &- UInt8(ascii: "+")).or(slash.and(63 &- UInt8(ascii: "/")))
        let distance = letters.or(signs).or(digit.and(52 &- UInt8(ascii: "0")))
        let words = unsafeBitCast(block &+ distance, to: SIMD4<UInt64>.self)
        target.storeBytes(of: pack(words[0]), toByteOffset: 0, as: UInt64.self)
        target.storeBytes(of: pack(words[1]), toByteOffset: 6, as: UInt64.self)
        target.storeBytes(of: pack(words[2]), toByteOffset: 12, as: UInt64.self)
        target.storeBytes(of: pack(words[3]), toByteOffset: 18, as: UInt64.self)
        return true
    }

    /// Packs eight sextets, one in each byte, into six bytes followed by two zeros, all in memory order.
    @inline(__always)
    private static func pack(_ sextets: UInt64) -> UInt64 {
        let word = sextets.littleEndian
        let pairs = ((word & 0x00FF_00FF_00FF_00FF) &<< 6) | ((word &>> 8) & 0x00FF_00FF_00FF_00FF)
        let fours = ((pairs & 0x0000_FFFF_0000_FFFF) &<< 12) | ((pairs &>> 16) & 0x0000_FFFF_0000_FFFF)
        return ((fours &<< 40) | ((fours &>> 16) & 0x0000_00FF_FFFF_0000)).bigEndian
    }
}
