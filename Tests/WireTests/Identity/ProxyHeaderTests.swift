import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetRelay
import WasmnetTesting

/// The PROXY protocol's two versions as text and bytes.
enum ProxyBytes {
    static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    static func v2(_ command: UInt8, _ family: UInt8, _ body: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? body.count
        return self.signature + [command, family, UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF)] + body
    }

    /// 203.0.113.7:56324 to 192.0.2.1:443.
    static let v4: [UInt8] = [203, 0, 113, 7, 192, 0, 2, 1, 0xDC, 0x04, 0x01, 0xBB]
    /// 2001:db8::7 to 2001:db8::1.
    static let v6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
        + [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1] + [0xDC, 0x04, 0x01, 0xBB]
    /// PP2_TYPE_CRC32C-like: type, length, value.
    static let tlv: [UInt8] = [0x03, 0x00, 0x04, 1, 2, 3, 4]
}

@Suite struct ProxyHeaderTests {
    static let linesV1: [(String, String?)] = [
        ("PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\n", "203.0.113.7"),
        ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
        ("PROXY TCP4 203.0.113.7 192.0.2.1 0 0\r\n", "203.0.113.7"),
        ("PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7"),
        ("PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", "::ffff:203.0.113.7"),
        (
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        ),
        ("PROXY UNKNOWN\r\n", nil),
        ("PROXY UNKNOWN ffff:: whatever stands here 1 2\r\n", nil),
    ]

    static let goodV2: [([UInt8], String?)] = [
        (ProxyBytes.v2(0x21, 0x11, ProxyBytes.v4), "203.0.113.7"),
        (ProxyBytes.v2(0x21, 0x21, ProxyBytes.v6), "2001:db8::7"),
        (ProxyBytes.v2(0x21, 0x11, ProxyBytes.v4 + ProxyBytes.tlv), "203.0.113.7"),
        (ProxyBytes.v2(0x21, 0x21, ProxyBytes.v6 + ProxyBytes.tlv + ProxyBytes.tlv), "2001:db8::7"),
        (ProxyBytes.v2(0x20, 0x00, []), nil), (ProxyBytes.v2(0x20, 0x11, ProxyBytes.v4), nil),
        (ProxyBytes.v2(0x20, 0x00, ProxyBytes.tlv), nil), (ProxyBytes.v2(0x21, 0x00, []), nil),
        (ProxyBytes.v2(0x21, 0x31, [UInt8](repeating: 0x41, count: 216)), nil),
        (ProxyBytes.v2(0x21, 0x12, ProxyBytes.v4), nil),
        (ProxyBytes.v2(0x21, 0x11, ProxyBytes.v4 + [UInt8](repeating: 0, count: 4068)), "203.0.113.7"),
    ]

    static var good: [([UInt8], String?)] { Self.linesV1.map { (Array($0.0.utf8), $0.1) } + Self.goodV2 }

    @Test(arguments: Self.good.indices) func aHeaderIsReadFromItsLastByteOnAndNoneBefore(index: Int) {
        let (bytes, client) = Self.good[index]
        for length in 0..<bytes.count {
            #expect(ProxyHeader.parse(Array(bytes[..<length])) == .incomplete, "\(length) of \(bytes.count)")
        }
        let expected = ProxyHeader.read(client: client.flatMap { IPAddress($0) }, length: bytes.count)
        #expect(ProxyHeader.parse(bytes) == expected)
        #expect(ProxyHeader.parse(bytes + Array("GET / HTTP/1.1\r\n".utf8)) == expected)
    }

    static let malformed: [[UInt8]] =
        [
            "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\n", "PROXY TCP4 203.0.113.7 192.0.2.1 56324\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443 1\r\n", "PROXY TCP4 203.0.113.7  192.0.2.1 56324 443\r\n",
            "PROXY  TCP4 203.0.113.7 192.0.2.1 56324 443\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443 \r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", "PROXY TCP6 203.0.113.7 192.0.2.1 1 2\r\n",
            "PROXY TCP6 [2001:db8::7] ::1 1 2\r\n", "PROXY TCP4 203.0.113 192.0.2.1 1 2\r\n",
            "PROXY TCP4 203.0.113.07 192.0.2.1 1 2\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 65536 2\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 01 2\r\n", "PROXY TCP4 203.0.113.7 192.0.2.1 +1 2\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 -1 2\r\n", "PROXY UDP4 203.0.113.7 192.0.2.1 1 2\r\n",
            "PROXY tcp4 203.0.113.7 192.0.2.1 1 2\r\n", "PROXY \r\n", "PROXY TCP4\t203.0.113.7 192.0.2.1 1 2\r\n",
            "PROXY TCP4 203.0.113.7 192.0.2.1 1 2\r\r\n", "PROXY UNKNOWN\n", "PROXY UNKNOWN\0\r\n",
            "PROXY " + String(repeating: "x", count: 101),
            "PROXY UNKNOWN " + String(repeating: "x", count: 100) + "\r\n",
        ].map { Array($0.utf8) } + [
            ProxyBytes.v2(0x11, 0x11, ProxyBytes.v4), ProxyBytes.v2(0x31, 0x11, ProxyBytes.v4),
            ProxyBytes.v2(0x22, 0x11, ProxyBytes.v4), ProxyBytes.v2(0x2F, 0x11, ProxyBytes.v4),
            ProxyBytes.v2(0x21, 0x41, ProxyBytes.v4), ProxyBytes.v2(0x21, 0x13, ProxyBytes.v4),
            ProxyBytes.v2(0x21, 0x11, Array(ProxyBytes.v4.dropLast())), ProxyBytes.v2(0x21, 0x11, []),
            ProxyBytes.v2(0x21, 0x21, ProxyBytes.v4), ProxyBytes.v2(0x21, 0x11, ProxyBytes.v4, length: 4081),
            ProxyBytes.v2(0x21, 0x11, ProxyBytes.v4, length: 65535),
        ]

    @Test(arguments: Self.malformed.indices) func aMalformedHeaderIsNeverReadNorWaitedFor(index: Int) {
        #expect(ProxyHeader.parse(Self.malformed[index]) == .malformed)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "P0", "PROXYX", "PROPFIND / HTTP/1.1\r\n", "proxy TCP4", "PROXY\tTCP4", "\r\n\r\nGET",
        "\u{16}\u{3}\u{1}", " PROXY ",
    ]) func whatBeginsOtherwiseHasNoHeader(text: String) {
        #expect(ProxyHeader.parse(Array(text.utf8)) == .absent)
    }

    /// No bytes make it trap, read past its input, or consume more than the longest header.
    @Test(arguments: 1...8) func anyBytesAreTold(seed: UInt64) {
        var random = SeededRandom(seed)
        for _ in 0..<20_000 {
            var bytes = Self.good.randomElement(using: &random)?.0 ?? []
            for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &random)
                case 1: bytes.remove(at: index)
                case 2: bytes.insert(UInt8.random(in: .min ... .max, using: &random), at: index)
                default: bytes.removeLast(min(bytes.count, Int.random(in: 0...40, using: &random)))
                }
            }
            switch ProxyHeader.parse(bytes) {
            case .read(_, let length):
                #expect(
                    length > 0 && length <= bytes.count && length <= ProxyHeader.longestV2, "seed \(seed): \(bytes)")
            case .incomplete: #expect(bytes.count < ProxyHeader.longestV2, "seed \(seed): \(bytes)")
            case .absent, .malformed: break
            }
        }
    }
}
