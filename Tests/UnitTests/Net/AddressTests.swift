import Testing
import WasmnetNet
import WasmnetTesting

@Suite struct AddressTests {
    private static let readable: [(String, [UInt16])] = [
        ("::", [0, 0, 0, 0, 0, 0, 0, 0]), ("::1", [0, 0, 0, 0, 0, 0, 0, 1]), ("[::1]", [0, 0, 0, 0, 0, 0, 0, 1]),
        ("1::", [1, 0, 0, 0, 0, 0, 0, 0]), ("2001:DB8::Ff", [0x2001, 0xDB8, 0, 0, 0, 0, 0, 0xFF]),
        ("1:2:3:4:5:6:7:8", [1, 2, 3, 4, 5, 6, 7, 8]), ("1:2:3::5:6:7:8", [1, 2, 3, 0, 5, 6, 7, 8]),
        ("::ffff:192.0.2.7", [0, 0, 0, 0, 0, 0xFFFF, 0xC000, 0x0207]),
        ("64:ff9b::192.0.2.7", [0x64, 0xFF9B, 0, 0, 0, 0, 0xC000, 0x0207]),
    ]

    @Test(arguments: readable) func readsIPv6(text: String, groups: [UInt16]) throws {
        let address = try #require(IPAddress(text))
        #expect(address.bytes == groups.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] })
        #expect(!address.isIPv4)
    }

    @Test func readsIPv4() {
        #expect(IPAddress("192.0.2.7") == IPAddress(v4: (192, 0, 2, 7)))
        #expect(IPAddress("0.0.0.0") == .unspecifiedV4)
        #expect(IPAddress("255.255.255.255")?.bytes == [255, 255, 255, 255])
    }

    /// Other parsers read some of these as addresses; a policy that checks one reading and a dial that uses another would be a hole.
    @Test(arguments: [
        "", ".", ":", "1.2.3", "1.2.3.4.5", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "01.2.3.4", "1.2.3.256",
        "1.2.3.-4", "1.2.3.4 ", " 1.2.3.4", "1.2.3.4\n", "1.2.3.4\0", "1.2.3.4\0.5", "1.2.3.4/32", "١.2.3.4",
        "[1.2.3.4]", "[::1", "::1]", "[]", "[[::1]]", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "12345::", "g::", "::1%eth0", "fe80::1%1", "::1.2.3", "::01.2.3.4", "::1\0",
        "::ffff:1.2.3.4:5", "+1::",
    ])
    func readsNothingElse(text: String) {
        #expect(IPAddress(text) == nil)
    }

    /// RFC 5952, section 4, and section 5 for an IPv4 address inside.
    @Test(arguments: [
        ("2001:0db8::0001", "2001:db8::1"), ("2001:db8:0:0:0:0:2:1", "2001:db8::2:1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:DB8::ABCD", "2001:db8::abcd"), ("0:0:0:0:0:0:0:0", "::"),
        ("::ffff:c000:207", "::ffff:192.0.2.7"), ("::c000:207", "::c000:207"), ("::192.0.2.7", "::c000:207"),
        ("64:ff9b::c000:207", "64:ff9b::c000:207"), ("::ffff:0:c000:207", "::ffff:0:c000:207"), ("::207", "::207"),
        ("192.0.2.7", "192.0.2.7"),
    ])
    func writesOneForm(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test func readsWhatItWrites() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        for _ in 0..<50_000 {
            let sparse = { (r: inout SeededRandom) in
                r.next() & r.next() & r.next() & (0xFFFF_0000_FFFF_0000 >> (r.next() % 4 * 16))
            }
            let address = IPAddress(v6: sparse(&random), low: sparse(&random))
            #expect(IPAddress(address.description) == address, "\(address), seed \(seed)")
        }
    }
}
