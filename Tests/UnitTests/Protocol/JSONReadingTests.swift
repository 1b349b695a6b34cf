import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

@Suite("JSON requests in the forms that clients may write")
struct JSONReadingTests {
    @Test(
        arguments: [
            (#"{"id":1,"op":"close"}"#, .close(1)),
            (" \t\r\n{ \"op\" : \"close\" , \"id\" : 1 } \n", .close(1)),
            (#"{"\u006fp":"\u0063lose","i\u0064":1}"#, .close(1)),
            (#"{"op":"close","id":1,"op":"listen","id":2}"#, .close(1)),
            (#"{"op":"close","id":1,"x":{"a":[1,2,{"b":null}],"c":"}"},"y":[[],{},""],"z":-1.5e-7}"#, .close(1)),
            (#"{"op":"listen","id":1}"#, .listen(1, backlog: 128)),
            (#"{"op":"listen","id":1,"backlog":null}"#, .listen(1, backlog: 128)),
            (#"{"op":"listen","id":1,"backlog":0}"#, .listen(1, backlog: 0)),
            (
                #"{"op":"resolve","id":1,"name":"\"\\\/\b\f\n\r\t\u0000\ud83d\ude00\u00e9"}"#,
                .resolve(1, name: "\"\\/\u{8}\u{C}\n\r\t\0😀é")
            ),
            (#"{"op":"resolve","id":1,"name":""}"#, .resolve(1, name: "")),
            (#"{"op":"send","id":1,"data":"aGk"}"#, .send(1, ByteBuffer(string: "hi"))),
            (#"{"op":"send","id":1,"data":"\u0061Gk\u003d"}"#, .send(1, ByteBuffer(string: "hi"))),
            (#"{"op":"send","id":1,"data":"\/\/\/\/"}"#, .send(1, ByteBuffer(bytes: [255, 255, 255]))),
        ] as [(String, Request)])
    func reads(text: String, request: Request) {
        #expect(decodeJSON(text) == .success(request), "\(text)")
    }

    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.000e+99999999999999999999", 0), ("1.0", 1), ("1e3", 1000), ("1E+3", 1000),
            ("120e-1", 12), ("1000000000000000000000e-21", 1), ("0.00000000000000000000001e23", 1),
            ("1e19", 10_000_000_000_000_000_000), ("1001000e0", 1_001_000), ("100000000000000000010", nil),
            ("18446744073709551615", UInt64.max), ("18446744073709551615.000", UInt64.max),
            ("1844674407370955161.5e1", UInt64.max), ("9007199254740993.0", 9_007_199_254_740_993),
            ("18446744073709551616", nil), ("1.8446744073709551616e19", nil), ("1e20", nil), ("1e400", nil),
            ("1e99999999999999999999999", nil), ("-1", nil), ("1.5", nil), ("1e-1", nil),
            ("1e-99999999999999999999", nil),
            ("1.00000000000000000001", nil), ("123456789012345678901234567890", nil),
        ] as [(String, UInt64?)])
    func integers(text: String, value: UInt64?) {
        #expect(decodeJSON(#"{"op":"close","id":\#(text)}"#).success == value.map { .close($0) }, "\(text)")
    }

    @Test func everyFormOfAnInteger() {
        var random = SeededRandom(testSeed)
        for _ in 0..<5000 * testScale {
            let number = random.next() >> UInt64.random(in: 0..<64, using: &random)
            let text = Self.randomForm(of: number, using: &random)
            #expect(
                decodeJSON(#"{"op":"close","id":\#(text)}"#) == .success(.close(number)), "\(text), seed \(testSeed)")
        }
    }

    /// The same number with its point moved and zeros added.
    private static func randomForm(of number: UInt64, using random: inout SeededRandom) -> String {
        var digits = String(number)
        var exponent = 0
        let zeros = Int.random(in: 0...25, using: &random)
        digits += String(repeating: "0", count: zeros)
        exponent -= zeros
        let point = Int.random(in: 0...digits.count, using: &random)
        exponent += digits.count - point
        let whole = digits.prefix(point).drop { $0 == "0" }
        let fraction = digits.dropFirst(point)
        let mark = ["e", "E"].randomElement(using: &random) ?? "e"
        let sign = exponent < 0 ? "-" : ["", "+", "+00"].randomElement(using: &random) ?? ""
        return (whole.isEmpty ? "0" : whole) + (fraction.isEmpty ? "" : "." + fraction)
            + mark + sign + String(abs(exponent))
    }

    @Test func eventsOfNodesThatSayLess() {
        for (text, event) in [
            (#"{"ev":"connected","id":1}"#, Event.connected(1, local: "", remote: "", alpn: nil)),
            (#"{"ev":"closed","id":1}"#, .closed(1, .normal, message: "")),
            (#"{"ev":"error","id":1,"msg":"m"}"#, .refused(1, Refusal(.internalError, "m"))),
            (#"{"ev":"error","id":1,"msg":"m","code":"new"}"#, .refused(1, Refusal(.internalError, "m"))),
            (#"{"ev":"error","id":1,"msg":"m","code":"denylisted"}"#, .refused(1, Refusal(.internalError, "m"))),
            (#"{"ev":"denied","id":1,"msg":"m"}"#, .refused(1, Refusal(.policyDenied, "m"))),
        ] {
            #expect(Language.json.event(ByteBuffer(string: text)) == .success(event), "\(text)")
        }
    }
}
