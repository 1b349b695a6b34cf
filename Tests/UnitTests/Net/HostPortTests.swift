import Testing
import WasmnetNet

@Suite struct HostPortTests {
    @Test(arguments: [
        ("example.com", "example.com", nil), ("example.com:80", "example.com", "80"), ("[::1]", "::1", nil),
        ("[::1]:80", "::1", "80"), ("host:", "host", ""), (":80", "", "80"), ("", "", nil),
        ("host:http", "host", "http"),
    ])
    func readsHostAndPort(text: String, host: String, port: String?) throws {
        let place = try HostPort(ByteText(text))
        #expect(place.host == ByteText(host))
        #expect(place.port == port.map { ByteText($0) })
        #expect(place.isInBrackets == ByteText(text).starts(with: "["))
        #expect(place.writtenHost == ByteText(place.isInBrackets ? "[\(host)]" : host))
    }

    @Test(arguments: [
        ("[::1", HostPort.Fault.openBracket), ("[::1]80", .textAfterBracket), ("[::1].com:80", .textAfterBracket),
        ("::1", .bareIPv6), ("::1:80", .bareIPv6), ("a:1:2", .bareIPv6),
    ])
    func saysWhatIsWrong(text: String, fault: HostPort.Fault) {
        #expect(throws: fault) { try HostPort(ByteText(text)) }
    }

    @Test(
        arguments: [
            ("a:1", 1), ("a:65535", 65535), ("a:0", nil), ("a:65536", nil), ("a:+1", nil), ("a: 1", nil), ("a:", nil),
            ("a", nil),
        ] as [(String, UInt16?)])
    func takesPortsOfTheRange(text: String, port: UInt16?) throws {
        #expect(try HostPort(ByteText(text)).portNumber() == port)
    }

    @Test func writesIPv6InBrackets() throws {
        #expect(HostPort.text("example.com", 80) == "example.com:80")
        #expect(HostPort.text("2001:db8::1", 80) == "[2001:db8::1]:80")
        #expect(try #require(IPAddress("192.0.2.7")).endpointText(port: 0) == "192.0.2.7:0")
    }
}
