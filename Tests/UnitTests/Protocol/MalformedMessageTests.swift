import NIOCore
import Testing
import WasmnetProtocol

@Suite("What is wrong is said, with the id where it could be read")
struct MalformedMessageTests {
    @Test(
        arguments: [
            (#"{"op":"foo","id":3}"#, 3, #"unknown op "foo""#),
            (#"{"op":"window","id":3,"bytes":1}"#, 3, #"unknown op "window""#),
            (#"{"op":"a\"\u0000\n","id":3}"#, 3, #"unknown op "a\"\u0000\n""#),
            (#"{"op":"Connect","id":3}"#, 3, #"unknown op "Connect""#),
            (#"{"id":3}"#, 3, "op is missing"),
            (#"{"op":null,"id":3}"#, 3, "op is missing"),
            (#"{"op":7,"id":3}"#, 3, "op is not a string"),
            (#"{"op":"close"}"#, 0, "id is missing"),
            (#"{"op":"close","id":-1}"#, 0, "id is not an integer from 0 to 18446744073709551615"),
            (#"{"op":"close","id":1.5}"#, 0, "id is not an integer from 0 to 18446744073709551615"),
            (#"{"op":"close","id":18446744073709551616}"#, 0, "id is not an integer from 0 to 18446744073709551615"),
            (#"{"op":"close","id":"1"}"#, 0, "id is not an integer from 0 to 18446744073709551615"),
            (#"{"op":"connect","id":3,"port":1}"#, 3, "addr is missing"),
            (#"{"op":"connect","id":3,"addr":1,"port":1}"#, 3, "addr is not a string"),
            (#"{"op":"connect","id":3,"addr":"a"}"#, 3, "port is missing"),
            (#"{"op":"connect","id":3,"addr":"a","port":65536}"#, 3, "port is not an integer from 0 to 65535"),
            (#"{"op":"connect","id":3,"addr":"a","port":"80"}"#, 3, "port is not an integer from 0 to 65535"),
            (#"{"op":"listen","id":3,"backlog":4294967296}"#, 3, "backlog is not an integer from 0 to 4294967295"),
            (#"{"op":"resolve","id":3}"#, 3, "name is missing"),
            (#"{"op":"send","id":3}"#, 3, "data is missing"),
            (#"{"op":"send","id":3,"data":[]}"#, 3, "data is not a string"),
            (#"{"data":"QQ!=","op":"send","id":3}"#, 3, "data is not base64"),
            (#"{"op":"send","id":3,"data":"QUJD RA=="}"#, 3, "data is not base64"),
            (#"{"op":"send","id":3,"data":"QUJD\u000a"}"#, 3, "data is not base64"),
            (#"{"op":"send","id":3,"data":"-_-_"}"#, 3, "data is not base64"),
            (#"{"op":"send","id":3,"data":"Q"}"#, 3, "data is not base64"),
            (#"{"op":"send_to","id":3,"addr":"a","port":1,"data":"="}"#, 3, "data is not base64"),
            ("", 0, "bad JSON at byte 0: unexpected end"),
            ("null", 0, "bad JSON at byte 0: expected an object"),
            ("[]", 0, "bad JSON at byte 0: expected an object"),
            (#"{"id":3,"op":"close""#, 3, "bad JSON at byte 20: unexpected end"),
            (#"{"id":3,"op":"close",}"#, 3, "bad JSON at byte 21: expected a key"),
            (#"{"id":3,"x":[1,]}"#, 3, "bad JSON at byte 15: expected a value"),
            (#"{"id":3,"x":{"a":1,}}"#, 3, "bad JSON at byte 19: expected a key"),
            (#"{"id":3,"x":{"a":[],,"b":1}}"#, 3, "bad JSON at byte 20: expected a key"),
            (#"{"id":3,"x":[1}}"#, 3, "bad JSON at byte 14: expected a comma or the end"),
            (#"{"id":3 "op":"close"}"#, 3, "bad JSON at byte 8: expected a comma or the end"),
            (#"{"id" 3}"#, 0, "bad JSON at byte 6: expected a colon"),
            (#"{"id":3} x"#, 3, "bad JSON at byte 9: text after the end"),
            (#"{"id":03}"#, 0, "bad JSON at byte 7: expected a comma or the end"),
            (#"{"id":3,"x":1.}"#, 3, "bad JSON at byte 14: expected a digit"),
            (#"{"id":3,"x":tru}"#, 3, "bad JSON at byte 15: expected a value"),
            (#"{"id":3,"x":"\ud800"}"#, 3, "bad JSON at byte 14: bad escape"),
            (#"{"id":3,"x":"\ud800\u0041"}"#, 3, "bad JSON at byte 14: bad escape"),
            (#"{"id":3,"x":"\udc00"}"#, 3, "bad JSON at byte 14: bad escape"),
            (#"{"id":3,"x":"\u12g4"}"#, 3, "bad JSON at byte 14: bad escape"),
            ("{\"id\":3,\"x\":\"\n\"}", 3, "bad JSON at byte 13: control character in a string"),
            ("{\"id\":3,\"x\":\"\0\"}", 3, "bad JSON at byte 13: control character in a string"),
            ("\u{FEFF}{}", 0, "bad JSON at byte 0: expected an object"),
        ] as [(String, SocketID, String)])
    func json(text: String, id: SocketID, message: String) {
        #expect(decodeJSON(text).failure == MalformedMessage(id: id, message), "\(text)")
    }

    @Test(
        arguments: [
            ("", 0, "message shorter than its 9 bytes of type and id"),
            ("05 00000000000000", 0, "message shorter than its 9 bytes of type and id"),
            ("00 0000000000000009", 9, "unknown type 0x00"),
            ("81 0000000000000009", 9, "unknown type 0x81"),
            ("FF 0000000000000009 00", 9, "unknown type 0xff"),
            ("05 0000000000000009 00", 9, "close has 1 bytes too many"),
            ("0B 0000000000000009 0000", 9, "shutdown has 2 bytes too many"),
            ("0C 0000000000000009 00", 9, "reset has 1 bytes too many"),
            ("01 0000000000000009 01", 9, "message too short for port"),
            ("01 0000000000000009 0050 FF", 9, "addr is not UTF-8"),
            ("01 0000000000000009 0050 C080", 9, "addr is not UTF-8"),
            ("08 0000000000000009 EDA080", 9, "name is not UTF-8"),
            ("03 0000000000000009 000000", 9, "message too short for backlog"),
            ("03 0000000000000009 0000000000", 9, "listen has 1 bytes too many"),
            ("07 0000000000000009 0050 00", 9, "message too short for the length of addr"),
            ("07 0000000000000009 0050 0002 61", 9, "message too short for addr"),
            ("07 0000000000000009 0050 FFFF 61", 9, "addr is longer than 1024 bytes"),
            ("0A 0000000000000009 0000", 9, "message too short for window"),
            ("0A 0000000000000009 0000000000", 9, "window has 1 bytes too many"),
        ] as [(String, SocketID, String)])
    func binary(hex: String, id: SocketID, message: String) {
        #expect(Language.v2.request(ByteBuffer(hex: hex)).failure == MalformedMessage(id: id, message))
    }

    @Test(arguments: [
        ("81 0000000000000009 '{}'", "local is missing"),
        ("85 0000000000000009", "message too short for code"),
        ("85 0000000000000009 FF", "unknown code 255"),
        ("86 0000000000000009 10 00000000", "code 16 does not go with type 0x86"),
        ("87 0000000000000009 20 00000000", "code 32 does not go with type 0x87"),
        ("86 0000000000000009 20 0000", "message too short for retry_after_ms"),
        ("89 0000000000000009 '[1]'", "addrs is not an array of strings"),
        ("89 0000000000000009 '{}'", "addrs is not an array"),
        ("89 0000000000000009 '[\"a\",]'", "bad JSON at byte 5: expected a value"),
        ("8C 0000000000000009 00", "end has 1 bytes too many"),
        ("01 0000000000000009 0050 61", "unknown type 0x01"),
    ])
    func events(hex: String, message: String) {
        #expect(Language.v2.event(ByteBuffer(hex: hex)).failure == MalformedMessage(id: 9, message))
    }

    @Test func textInABinarySession() {
        let codec = MessageCodec(version: .v2)
        let text = ByteBuffer(string: #"{"op":"close","id":1}"#)
        #expect(codec.decodeRequest(text, isText: true).failure?.message == "text message in a binary session")
        #expect(codec.decodeEvent(text, isText: true).failure?.message == "text message in a binary session")
    }

    @Test func invalidUTF8InAnyStringIsNoJSON() {
        for bad: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC3], [0x80]] {
            for position in ["key", "value", "nested"] {
                var message = ByteBuffer(string: "{\"op\":\"close\",\"id\":1,")
                message.writeString(position == "key" ? "\"" : position == "value" ? "\"x\":\"" : "\"x\":[{\"y\":\"")
                message.writeBytes(bad)
                message.writeString(position == "key" ? "\":1}" : position == "value" ? "\"}" : "\"}]}")
                let failure = Language.json.request(message).failure
                #expect(failure?.message.hasSuffix("string is not UTF-8") == true, "\(bad) in \(position)")
            }
        }
    }

    @Test func longUnknownNamesAreCutBetweenScalars() {
        let long = String(repeating: "a", count: 64)
        #expect(decodeJSON(#"{"op":"\#(long)","id":1}"#).failure?.message == "unknown op \"\(long)\"")
        #expect(decodeJSON(#"{"op":"\#(long)b","id":1}"#).failure?.message == "unknown op \"\(long)\"...")
        let wide = String(repeating: "é", count: 40)
        let cut = String(repeating: "é", count: 32)
        #expect(decodeJSON(#"{"op":"\#(wide)","id":1}"#).failure?.message == "unknown op \"\(cut)\"...")
        let odd = "a" + wide
        let oddCut = "a" + String(repeating: "é", count: 31)
        #expect(decodeJSON(#"{"op":"\#(odd)","id":1}"#).failure?.message == "unknown op \"\(oddCut)\"...")
        let escaped = String(repeating: #"\ud83d\ude00"#, count: 17)
        let emoji = String(repeating: "😀", count: 16)
        #expect(decodeJSON(#"{"op":"\#(escaped)","id":1}"#).failure?.message == "unknown op \"\(emoji)\"...")
    }

    @Test func addressesAreHeldToTheirLimit() {
        let most = String(repeating: "a", count: 1024)
        for (host, isFine) in [(most, true), (most + "a", false)] {
            for request in [
                Request.connect(1, host: host, port: 1), .sendTo(1, host: host, port: 1, ByteBuffer()),
                .resolve(1, name: host),
            ] {
                for language in Language.allCases {
                    let result = language.encode(request).map { language.request($0) }
                    #expect((result?.success == request) == isFine)
                    #expect(isFine || result?.failure?.message.hasSuffix(" is longer than 1024 bytes") == true)
                }
            }
        }
        // As escapes, six bytes each: the limit applies to the decoded text.
        let escapes = String(repeating: #"\u0061"#, count: 1024)
        #expect(decodeJSON(#"{"op":"resolve","id":1,"name":"\#(escapes)"}"#) == .success(.resolve(1, name: most)))
        #expect(decodeJSON(#"{"op":"resolve","id":1,"name":"\#(escapes)a"}"#).failure?.id == 1)
    }

    @Test func nestingIsBounded() {
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let inner = open == "[" ? "" : "1"
            for (depth, isFine) in [(1, true), (63, true), (64, false), (100_000, false)] {
                let nested = String(repeating: open, count: depth) + inner + String(repeating: close, count: depth)
                let result = decodeJSON(#"{"op":"close","id":1,"x":\#(nested)}"#)
                #expect((result == .success(.close(1))) == isFine, "\(depth)")
                #expect(isFine || result.failure?.message.hasSuffix("nested too deeply") == true, "\(depth)")
            }
        }
    }
}
