import NIOCore
import Testing
import WasmnetTesting

@testable import WasmnetRelay

@Suite struct UnmaskTests {
    /// RFC 6455, section 5.3, literally: octet i of the result is octet i of the data XOR octet i modulo 4 of the key.
    private func plain(_ bytes: [UInt8], _ key: [UInt8]) -> [UInt8] {
        bytes.enumerated().map { $1 ^ key[$0 % 4] }
    }

    private func word(_ key: [UInt8]) -> UInt32 {
        key.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
    }

    @Test func everyLengthAtEveryAlignment() {
        var random = SeededRandom(81)
        for length in 0...64 {
            for offset in 0..<16 {
                let key = random.bytes(4)
                let before = random.bytes(offset)
                let payload = random.bytes(length)
                let after = random.bytes(16)
                var bytes = before + payload + after
                bytes.withUnsafeMutableBytes { all in
                    unmask(UnsafeMutableRawBufferPointer(rebasing: all[offset..<offset + length]), with: self.word(key))
                }
                #expect(bytes == before + self.plain(payload, key) + after, "length \(length), offset \(offset)")
            }
        }
    }

    @Test(arguments: [65, 1000, 4096, 65_535, 65_536, 100_003]) func longerOnesToo(length: Int) {
        var random = SeededRandom(UInt64(length))
        let key = random.bytes(4)
        let payload = random.bytes(length)
        var bytes = payload
        bytes.withUnsafeMutableBytes { unmask($0, with: self.word(key)) }
        #expect(bytes == self.plain(payload, key))
        bytes.withUnsafeMutableBytes { unmask($0, with: self.word(key)) }
        #expect(bytes == payload)
    }

    @Test func keysWithEqualAndZeroBytes() {
        for key in [[0, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [255, 255, 255, 255]] as [[UInt8]] {
            var bytes = Array(UInt8(0)...40)
            bytes.withUnsafeMutableBytes { unmask($0, with: self.word(key)) }
            #expect(bytes == self.plain(Array(UInt8(0)...40), key))
        }
    }

    @Test func nothingIsNoTrouble() {
        unmask(UnsafeMutableRawBufferPointer(start: nil, count: 0), with: 0x1234_5678)
    }

    /// The header's mask is in memory order: with ``unmask(_:with:)`` it removes a client's mask.
    @Test func theExampleOfTheRFC() {
        // Section 5.7: a single-frame masked text message that holds "Hello".
        let bytes: [UInt8] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        guard case .header(let header) = FrameParser(maxLength: 100).parse(ByteBuffer(bytes: bytes)) else {
            Issue.record("no header")
            return
        }
        var payload = Array(bytes[header.headerLength...])
        payload.withUnsafeMutableBytes { unmask($0, with: header.mask) }
        #expect(header.kind == .text && String(decoding: payload, as: UTF8.self) == "Hello")
    }
}
