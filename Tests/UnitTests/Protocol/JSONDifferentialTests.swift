import Foundation
import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

/// The scanner against Foundation: validity by `JSONSerialization`, meaning by `JSONDecoder`.
@Suite("JSON as Foundation reads it, with named differences")
struct JSONDifferentialTests {
    /// Intended differences of the two. In the first four Foundation accepts input that RFC 8259 does not have or lets a
    /// parser refuse.
    enum Difference: Hashable {
        /// `[1,]` and `{"a":1,}`.
        case trailingComma
        /// A byte order mark, or another encoding than UTF-8.
        case otherEncoding
        /// More than 64 levels; Foundation stops at 512.
        case deepNesting
        /// An integer that is not one exactly: Foundation rounds `1.00000000000000000001` to 1 and `1e-400` to 0.
        case roundedInteger
        /// A number in an unused field that no Double can represent, as `1e999`: not an error here.
        case hugeNumber
        /// A large integer with a fraction of zeros, `18446744073709551615.0`: exact here.
        case largeIntegerWithFraction
    }

    @Test(
        arguments: [
            (#"{"op":"close","id":1,"x":[1,]}"#, .trailingComma, false),
            (#"{"op":"close","id":1,}"#, .trailingComma, false),
            (#"{"op":"close","id":1,"x":{"a":1,}}"#, .trailingComma, false),
            ("\u{FEFF}{\"op\":\"close\",\"id\":1}", .otherEncoding, false),
            (
                #"{"op":"close","id":1,"x":"# + String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
                    + "}",
                .deepNesting, false
            ),
            (#"{"op":"close","id":1.00000000000000000001}"#, .roundedInteger, false),
            (#"{"op":"close","id":1e-400}"#, .roundedInteger, false),
            (#"{"op":"close","id":1,"x":1e999}"#, .hugeNumber, true),
            (#"{"op":"close","id":18446744073709551615.0}"#, .largeIntegerWithFraction, true),
        ] as [(String, Difference, Bool)])
    func differencesAreReal(text: String, difference: Difference, isOurs: Bool) {
        #expect((decodeJSON(text).success != nil) == isOurs, "\(difference)")
        #expect((Self.isJSON(text) && Self.foundation(Array(text.utf8)) != nil) == !isOurs, "\(difference)")
    }

    @Test func generatedAndMutatedDocuments() {
        var random = SeededRandom(testSeed)
        var other: [UInt8] = []
        var accepted = 0
        let cases = 15_000 * testScale
        for index in 0..<cases {
            let document = document(using: &random)
            let bytes = index % 4 == 0 ? document : random.mutated(document, with: other)
            other = document
            accepted += compare(bytes) ? 1 : 0
        }
        #expect(accepted > cases / 4 && accepted < cases * 3 / 4, "\(accepted) of \(cases), seed \(testSeed)")
    }

    @Test func mutatedRequests() {
        var random = SeededRandom(testSeed &+ 1)
        var other: [UInt8] = []
        for _ in 0..<15_000 * testScale {
            guard let message = Language.json.encode(random.request()) else { continue }
            let bytes = Array(message.readableBytesView)
            compare(random.mutated(bytes, with: other))
            other = bytes
        }
    }

    // MARK: Comparing

    /// Returns whether both accept it as JSON.
    @discardableResult
    private func compare(_ bytes: [UInt8]) -> Bool {
        let result = Language.json.request(ByteBuffer(bytes: bytes))
        let text = String(decoding: bytes, as: UTF8.self)
        let note = "seed \(testSeed): \(text)"
        let isOurs = result.failure?.message.hasPrefix("bad JSON") != true
        let isTheirs = (try? JSONSerialization.jsonObject(with: Data(bytes))) is [String: Any]
        guard isOurs == isTheirs else {
            let isKnown = isOurs ? hasHugeNumber(text) : hasTrailingComma(text) || isOtherEncoding(bytes)
            #expect(isKnown, "\(isOurs ? "only ours takes" : "only Foundation takes") it, \(note)")
            return false
        }
        guard isOurs else { return false }
        let theirs = Self.foundation(bytes)
        if result.success != theirs, !hasInexactInteger(text) {
            #expect(result.success == theirs, "\(result), \(note)")
        }
        return true
    }

    private static func isJSON(_ text: String) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(text.utf8))) != nil
    }

    private func hasTrailingComma(_ text: String) -> Bool {
        text.contains(/,[ \t\r\n]*[\]}]/)
    }

    private func isOtherEncoding(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) || bytes.prefix(4).contains(0) || bytes.starts(with: [0xFE, 0xFF])
            || bytes.starts(with: [0xFF, 0xFE])
    }

    private func hasHugeNumber(_ text: String) -> Bool {
        text.contains(/[0-9][eE]\+?[0-9]{3}/) || text.contains(/[0-9]{128}/)
    }

    private func hasInexactInteger(_ text: String) -> Bool {
        text.contains(/[0-9.]{16}/) || text.contains(/[eE]-?[0-9]{2}/)
    }

    // MARK: Foundation's reading of a request

    private struct Fields: Decodable {
        var op: String?
        var id: UInt64?
    }
    private struct Target: Decodable {
        var addr: String
        var port: UInt16
    }
    private struct Backlog: Decodable { var backlog: UInt32? }
    private struct Name: Decodable { var name: String }
    private struct Payload: Decodable { var data: String }

    static func foundation(_ bytes: [UInt8]) -> Request? {
        func read<T: Decodable>(_ type: T.Type) -> T? { try? JSONDecoder().decode(type, from: Data(bytes)) }
        guard let fields = read(Fields.self), let op = fields.op, let id = fields.id else { return nil }
        func target(_ make: (SocketID, String, UInt16) -> Request?) -> Request? {
            read(Target.self).flatMap { $0.addr.utf8.count <= 1024 ? make(id, $0.addr, $0.port) : nil }
        }
        func payload() -> ByteBuffer? {
            guard var text = read(Payload.self)?.data, !text.contains(/={3}|=[^=]/) else { return nil }
            if !text.contains("=") { text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4) }
            guard !text.hasSuffix("===") else { return nil }
            let unpadded = text.utf8.count(where: { $0 != UInt8(ascii: "=") })
            guard text.utf8.count % 4 == 0, text.utf8.count - unpadded < 3, unpadded % 4 != 1 else { return nil }
            guard unpadded % 4 != 0 || unpadded == text.utf8.count else { return nil }
            return Data(base64Encoded: text).map { ByteBuffer(bytes: $0) }
        }
        switch op {
        case "connect": return target { .connect($0, host: $1, port: $2) }
        case "connect_tls": return target { .connectTLS($0, host: $1, port: $2) }
        case "connect_udp": return target { .connectUDP($0, host: $1, port: $2) }
        case "bind": return target { .bind($0, host: $1, port: $2) }
        case "bind_udp": return target { .bindUDP($0, host: $1, port: $2) }
        case "listen": return read(Backlog.self).map { .listen(id, backlog: $0.backlog ?? 128) }
        case "send": return payload().map { .send(id, $0) }
        case "send_to": return target { id, host, port in payload().map { .sendTo(id, host: host, port: port, $0) } }
        case "close": return .close(id)
        case "resolve":
            return read(Name.self).flatMap { $0.name.utf8.count <= 1024 ? .resolve(id, name: $0.name) : nil }
        default: return nil
        }
    }

    // MARK: Making documents

    /// A request with other members before, between and after, of any JSON value, with any legal space and escapes.
    private func document(using random: inout SeededRandom) -> [UInt8] {
        var members = [(#""id""#, number(using: &random)), (#""op""#, #""\#(op(using: &random))""#)]
        members.append((#""addr""#, string(using: &random)))
        members.append((#""port""#, String(random.below(70_000))))
        members.append((#""data""#, #""\#(Data(random.bytes(upTo: 20)).base64EncodedString())""#))
        members.append((#""name""#, string(using: &random)))
        members.append((#""backlog""#, random.pick(["0", "7", "null", "4294967295", "1e2", "\"x\""], or: "0")))
        members.removeAll { _ in random.below(8) == 0 }
        for _ in 0..<random.below(4) { members.append((string(using: &random), value(depth: 0, using: &random))) }
        if random.below(4) == 0, let again = members.randomElement(using: &random) {
            members.append((again.0, value(depth: 2, using: &random)))
        }
        members.shuffle(using: &random)
        let parts = members.map {
            space(using: &random) + $0 + space(using: &random) + ":" + space(using: &random) + $1
        }
        return Array((space(using: &random) + "{" + parts.joined(separator: ",") + "}" + space(using: &random)).utf8)
    }

    private func op(using random: inout SeededRandom) -> String {
        random.pick(
            [
                "connect", "connect_tls", "connect_udp", "bind", "bind_udp", "listen", "send", "send_to", "close",
                "resolve", "window", "", "\\u0063lose", "clos\\u0065",
            ], or: "close")
    }

    private func space(using random: inout SeededRandom) -> String {
        random.below(3) > 0 ? "" : random.pick([" ", "\n", "\t", "\r\n", "  "], or: " ")
    }

    private func number(using random: inout SeededRandom) -> String {
        let small = String(random.below(100_000))
        return random.pick(
            [small, small, small, "0", "-0", "1.0", "1e3", "-1", "1.5", "2E+2", "10e-1", String(random.id())], or: small
        )
    }

    private func string(using random: inout SeededRandom) -> String {
        let pieces = [
            "a", "Z", "0", " ", ":", "{", "]", ",", "é", "😀", "\u{7F}", "\u{2028}", #"\""#, #"\\"#, #"\/"#, #"\b"#,
            #"\f"#,
            #"\n"#, #"\r"#, #"\t"#, #"\u0000"#, #"\u00e9"#, #"\uD83D\uDE00"#, #"\ufffd"#, #"\u001f"#, "example.com",
            "0123456789abcdefghijklmnopqrstuvwxyz",
        ]
        return "\"" + (0..<random.below(8)).map { _ in random.pick(pieces, or: "a") }.joined() + "\""
    }

    private func value(depth: Int, using random: inout SeededRandom) -> String {
        switch random.below(depth > 3 ? 5 : 7) {
        case 0: return string(using: &random)
        case 1: return number(using: &random)
        case 2: return "-1.25e-7"
        case 3: return random.pick(["true", "false", "null"], or: "null")
        case 4: return random.pick(["[]", "{}", "[ ]", "{ }", "\"\""], or: "[]")
        case 5:
            let elements = (0..<random.below(4)).map { _ in value(depth: depth + 1, using: &random) }
            return "[" + elements.joined(separator: "," + space(using: &random)) + "]"
        default:
            let members = (0..<random.below(4)).map { _ in
                string(using: &random) + ":" + value(depth: depth + 1, using: &random)
            }
            return "{" + members.joined(separator: ",") + "}"
        }
    }
}
