import NIOCore
import NIOHTTP1
import Testing

@testable import WasmnetRelay

/// How much of a request is read, and the result: RFC 9112.
@Suite struct HeadReaderTests {
    private func read(_ text: String, piece: Int = .max) -> (result: HeadReader.Result, rest: Int) {
        var reader = HeadReader()
        var bytes = ByteBuffer(string: text)
        while var part = bytes.readSlice(length: min(piece, bytes.readableBytes)), part.readableBytes > 0 {
            let result = reader.take(from: &part)
            if result != .more { return (result, part.readableBytes + bytes.readableBytes) }
            #expect(reader.heldBytes <= 2 * HeadReader.maxBytes)
        }
        return (.more, 0)
    }

    private static let line = "GET / HTTP/1.1\r\n"
    /// A field that fills a head up to this many bytes, including the empty line.
    private static func filled(_ bytes: Int) -> String {
        Self.line + "A: " + String(repeating: "x", count: bytes - Self.line.utf8.count - 7) + "\r\n\r\n"
    }

    @Test(arguments: [1, 7, 4096, Int.max]) func boundsOfAHead(piece: Int) throws {
        for (text, expected) in [
            (Self.filled(HeadReader.maxBytes + 1), HeadReader.Result.failed(.tooLarge)),
            ("GET /" + String(repeating: "x", count: HeadReader.maxBytes), .failed(.lineTooLong)),
            (String(repeating: "\r\n", count: HeadReader.maxBytes), .failed(.lineTooLong)),
            (Self.line + String(repeating: "A: 1\r\n", count: 101) + "\r\n", .failed(.tooManyFields)),
            (Self.line + "Host: x\r\n", .more), ("", .more),
        ] { #expect(self.read(text, piece: piece).result == expected, "\(text.prefix(30))") }
        for text in [
            Self.filled(HeadReader.maxBytes), Self.line + "\r\n",
            Self.line + String(repeating: "A: 1\r\n", count: 100) + "\r\n",
        ] {
            let (result, rest) = self.read(text + "behind", piece: piece)
            #expect(result == .whole(ByteBuffer(string: text)))
            #expect(rest == 6)
        }
    }

    @Test func emptyLinesBeforeARequestAreNoPartOfIt() {
        #expect(self.read("\r\n\r\n" + Self.line + "\r\n").result == .whole(ByteBuffer(string: Self.line + "\r\n")))
    }

    private func parse(_ text: String) throws(HeadError) -> HTTPRequestHead {
        try RequestHead.parse(ByteBuffer(string: text))
    }

    @Test func aHeadIsReadAsItStands() throws {
        let head = try self.parse("GET /a?b HTTP/1.1\r\nHost: x:1\r\nEmpty:\r\nX-A:\t one  two \r\nx-a: 3\r\n\r\n")
        #expect(head.method == .GET && head.uri == "/a?b" && head.version == .http1_1)
        #expect(head.headers["x-a"] == ["one  two", "3"])
        #expect(head.headers["Empty"] == [""])
        #expect(try self.parse("GET / HTTP/1.0\r\n\r\n").version == .http1_0)
        #expect(try self.parse("BREW / HTTP/1.7\r\nHost: [::1]:80\r\n\r\n").version == .http1_1)
    }

    @Test(arguments: [
        "", "\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1 \r\nHost: x\r\n\r\n",
        "GET / http/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/11\r\nHost: x\r\n\r\n", "G(T / HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\u{7F} HTTP/1.1\r\nHost: x\r\n\r\n", "GET /ä HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\n\r\n",
        // RFC 9112, sections 5.1 and 5.2: a space before the colon, a folded line, a line before all fields.
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\n 2\r\n\r\n",
        "GET / HTTP/1.1\r\n Host: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nA: \u{0}\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nA: a\rb\r\n\r\n",
        // Section 3.2.
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: x\r\nhost: x\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "GET http:///x HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET http://me@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
    ]) func whatIsNoRequestIsRefused(text: String) {
        #expect { _ = try self.parse(text) } throws: { if case .malformed? = $0 as? HeadError { true } else { false } }
    }

    @Test func anotherHTTPIsToldSo() {
        #expect(throws: HeadError.version) { try self.parse("GET / HTTP/2.0\r\nHost: x\r\n\r\n") }
    }

    /// RFC 9112, section 3.2.2: the target's host overrides the field's.
    @Test(arguments: [
        ("http://a.example/", "/"), ("HTTP://a.example", "/"), ("https://a.example/p?q", "/p?q"),
        ("ws://a.example?q=1", "/?q=1"), ("wss://a.example/?x", "/?x"),
    ]) func absoluteFormIsTheSameAsOriginForm(target: String, origin: String) throws {
        let head = try self.parse("GET \(target) HTTP/1.1\r\nHost: other\r\n\r\n")
        #expect(head.uri == origin)
        #expect(head.headers["Host"] == ["a.example"])
        #expect(RequestHead.path(of: target) == String(origin.prefix { $0 != "?" }))
    }
}
