/// The eight points of edwards25519 whose order divides 8. With one of them as the key the equation of RFC 8032, section 5.1.7, holds for
/// signatures that anyone can create, and that section requires no check of the key.
enum SmallOrderPoints {
    /// Their y, little endian, in every 255-bit encoding, including those beyond the field's prime (Chalkias, Garillot and Nikolaenko,
    /// "Taming the many EdDSAs", table 1). The sign of x, the last bit, may be either.
    private static let ordinates: [[UInt8]] = [
        // 0, of order 4, and the prime, 2^255 - 19, which is equivalent.
        Self.bytes(first: 0x00, middle: 0x00, last: 0x00), Self.bytes(first: 0xED, middle: 0xFF, last: 0x7F),
        // 1, the neutral element, and the prime plus 1.
        Self.bytes(first: 0x01, middle: 0x00, last: 0x00), Self.bytes(first: 0xEE, middle: 0xFF, last: 0x7F),
        // -1, of order 2.
        Self.bytes(first: 0xEC, middle: 0xFF, last: 0x7F),
        // The two of order 8.
        [
            0x26, 0xE8, 0x95, 0x8F, 0xC2, 0xB2, 0x27, 0xB0, 0x45, 0xC3, 0xF4, 0x89, 0xF2, 0xEF, 0x98, 0xF0,
            0xD5, 0xDF, 0xAC, 0x05, 0xD3, 0xC6, 0x33, 0x39, 0xB1, 0x38, 0x02, 0x88, 0x6D, 0x53, 0xFC, 0x05,
        ],
        [
            0xC7, 0x17, 0x6A, 0x70, 0x3D, 0x4D, 0xD8, 0x4F, 0xBA, 0x3C, 0x0B, 0x76, 0x0D, 0x10, 0x67, 0x0F,
            0x2A, 0x20, 0x53, 0xFA, 0x2C, 0x39, 0xCC, 0xC6, 0x4E, 0xC7, 0xFD, 0x77, 0x92, 0xAC, 0x03, 0x7A,
        ],
    ]

    /// Whether a public key of 32 bytes encodes one of them.
    static func contain(_ key: some Sequence<UInt8>) -> Bool {
        var ordinate = Array(key)
        guard ordinate.count == 32 else { return false }
        ordinate[31] &= 0x7F
        return self.ordinates.contains(ordinate)
    }

    private static func bytes(first: UInt8, middle: UInt8, last: UInt8) -> [UInt8] {
        [first] + [UInt8](repeating: middle, count: 30) + [last]
    }
}
