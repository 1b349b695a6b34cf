/// 32 bytes processed at once.
///
/// On this toolchain (6.3) only addition, subtraction and comparison of two whole vectors become vector instructions.
/// Everything else of a SIMD type runs lane by lane, so "and" and "or" are computed on four words instead of 32 bytes
/// here, and scalar operands, `replacing(with:where:)`, `any` and `all` are not used: on bytes they are a hundred
/// times slower.
typealias ByteVector = SIMD32<UInt8>

extension ByteVector {
    @inline(__always)
    static func all(_ byte: UInt8) -> ByteVector { ByteVector(repeating: byte) }

    /// 0xFF where the bytes are equal, else 0.
    @inline(__always)
    func equals(_ byte: UInt8) -> ByteVector {
        unsafeBitCast(self .== .all(byte), to: ByteVector.self)
    }

    /// 0xFF where the byte is less, else 0.
    @inline(__always)
    func isLess(than byte: UInt8) -> ByteVector {
        unsafeBitCast(self .< .all(byte), to: ByteVector.self)
    }

    /// 0xFF where the byte is one of the `count` from `first` on, else 0.
    @inline(__always)
    func isIn(_ first: UInt8, count: UInt8) -> ByteVector {
        (self &- .all(first)).isLess(than: count)
    }

    @inline(__always)
    func and(_ byte: UInt8) -> ByteVector {
        let mask = SIMD4(repeating: UInt64(byte) &* 0x0101_0101_0101_0101)
        return unsafeBitCast(unsafeBitCast(self, to: SIMD4<UInt64>.self) & mask, to: ByteVector.self)
    }

    @inline(__always)
    func or(_ other: ByteVector) -> ByteVector {
        let result = unsafeBitCast(self, to: SIMD4<UInt64>.self) | unsafeBitCast(other, to: SIMD4<UInt64>.self)
        return unsafeBitCast(result, to: ByteVector.self)
    }

    @inline(__always)
    var isZero: Bool { ByteVector.fold(self, |) == 0 }

    /// Whether all bits of each byte are set.
    @inline(__always)
    var isFull: Bool { ByteVector.fold(self, &) == .max }

    /// Whether no byte has its high bit set.
    @inline(__always)
    var isASCII: Bool { ByteVector.fold(self, |) & 0x8080_8080_8080_8080 == 0 }

    @inline(__always)
    private static func fold(_ vector: ByteVector, _ combine: (UInt64, UInt64) -> UInt64) -> UInt64 {
        let words = unsafeBitCast(vector, to: SIMD4<UInt64>.self)
        return combine(combine(words[0], words[1]), combine(words[2], words[3]))
    }
}
