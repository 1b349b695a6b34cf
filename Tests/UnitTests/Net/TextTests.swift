import Testing
import WasmnetPolicy
import WasmnetQuota
import WasmnetNet

/// Untrusted text is cut, compared and printed by bytes.
@Suite struct TextTests {
    @Test func aCombiningSignBelongsToNoSeparator() {
        let text = ByteText("a,\u{301}b:\u{308}c\r\nd")
        #expect(text.split(at: ",").map(\.text) == ["a", "\u{301}b:\u{308}c\r\nd"])
        #expect(text.cut(at: ":")?.after.text == "\u{308}c\r\nd")
        #expect(text.cutLast(at: ":")?.before.text == "a,\u{301}b")
        #expect(text.lines.count == 2)
        #expect(ByteText(" a ,,\t\u{301}b,").list().map(\.text) == ["a", "\u{301}b"])
        #expect(ByteText("reason=\u{301}x").dropping(prefix: "reason=")?.text == "\u{301}x")
    }

    @Test func linesEndInLFOrCRLF() {
        #expect(ByteText("a\r\nb\n\r\n\rc\r\n").lines.map(\.text) == ["a", "b", "", "\rc", ""])
        #expect(ByteText("a \t b").words == ["a", "b"])
        #expect(ByteText("  a b c").firstWord?.rest == " b c")
        #expect(ByteText("split").split(at: "/", atMost: 1) == ["split"])
        #expect(ByteText("a b c d").split(at: " ", atMost: 2) == ["a", "b c d"])
    }

    @Test func textsThatLookAlikeAreNotEqual() {
        #expect("\u{212A}" == "K" && "e\u{301}" == "\u{E9}")
        #expect(ByteText("\u{212A}") != "K" && ByteText("e\u{301}") != "\u{E9}")
        #expect(
            ByteText("TOKEN").isEqual(ignoringCase: "token") && !ByteText("TO\u{212A}EN").isEqual(ignoringCase: "token")
        )
    }

    @Test func aNumberIsDigitsAlone() {
        #expect(ByteText("0443").decimal(as: UInt16.self) == 443)
        for bad in ["", "+5", "-5", " 5", "5 ", "65536", "\u{0665}", "5\u{301}", "0x5"] {
            #expect(ByteText(bad).decimal(as: UInt16.self) == nil, "\(bad)")
        }
    }

    @Test func aFileHasNoControlsButTabAndLineEnds() throws {
        #expect(try ByteText(file: Array("\u{FEFF}a\tb\r\nc\n".utf8)) == "a\tb\r\nc\n")
        for (text, line, code) in [
            ("a\u{0}b", 1, "0000"), ("\n\na\u{7F}", 3, "007F"), ("a\r\n\u{85}", 2, "0085"), ("a\rb\n", 1, "000D"),
            ("a\n\u{1B}[31m", 2, "001B"),
        ] {
            let fault = #expect(throws: TextFault.self) { try ByteText(file: Array(text.utf8)) }
            #expect(fault == TextFault(line: line, problem: "there is a control character, U+\(code)"))
        }
        let fault = #expect(throws: TextFault.self) { try ByteText(file: [0x61, 0x0A, 0xFF]) }
        #expect(fault == TextFault(line: 2, problem: "this is not UTF-8"))
    }

    @Test func whatIsShownSteersNothing() {
        #expect("plain \"text\" \\".shown() == "plain \"text\" \\")
        #expect("a\"b\\c\n".shown(quoting: true) == #"a\"b\\c\n"#)
        #expect("\u{1B}[2J\u{7F}\u{9B}1m".shown() == #"\u001b[2J\u007f\u009b1m"#)
        for scalar in "\u{202A}\u{202E}\u{2066}\u{2069}\u{200E}\u{200F}\u{61C}\u{2028}\u{2029}\u{FEFF}".unicodeScalars {
            #expect(String(scalar).shown() == "\\u" + ("000" + String(scalar.value, radix: 16)).suffix(4))
        }
        // A tag, beyond the first plane: as JSON writes it.
        #expect("\u{E0041}".shown(quoting: true) == #"\udb40\udc41"#)
        #expect("größe 日本 😀".shown() == "größe 日本 😀")
        #expect(ByteText([0x61, 0xFF, 0xC3, 0x28, 0xE2, 0x82] as [UInt8]).shown() == #"a\xff\xc3(\xe2\x82"#)
        #expect(ByteText([0xFF] as [UInt8]).shown(quoting: true) == #"\\xff"#)
    }

    @Test func whatIsShownIsAtMost256Bytes() {
        let full = String(repeating: "a", count: 256)
        #expect(full.shown() == full)
        #expect((full + "b").shown() == String(repeating: "a", count: 253) + "...")
        for text in ["é", "日", "😀", "\u{202E}", "\n", "e\u{301}"] {
            let shown = String(repeating: text, count: 300).shown()
            #expect((248...256).contains(shown.utf8.count) && shown.unicodeScalars.allSatisfy { $0 != "\u{FFFD}" })
            #expect(shown.utf8.suffix(3).elementsEqual("...".utf8))
        }
    }

    @Test func aClientsNameIsAnyUTF8WithoutControls() throws {
        let longest = String(repeating: "é", count: 128)
        for name in ["a", "a b", "O'Brien", "José", "\"{}\\#%", "日本 😀", "\u{202E}", longest, "a%20b", " "] {
            #expect(ClientName.isName(name))
            let encoded = ClientName.encoded(name)
            #expect(ByteText(encoded).words.count == 1 && !encoded.utf8.contains { "#\"'".utf8.contains($0) })
            let decoded = try #require(ClientName.decoded(ByteText(encoded)))
            #expect(ByteText(decoded) == ByteText(name))
        }
        for name in ["", "a\nb", "\u{0}", "\u{7F}", "\u{9B}", longest + "x"] {
            #expect(!ClientName.isName(name))
        }
        for word in ["a'b", "a\"b", "a%2", "a%zz", "%ff", "%0A", "%C2%85"] {
            #expect(ClientName.decoded(ByteText(word)) == nil, "\(word)")
        }
        #expect(ClientName.encoded("a b#c%d'e\"é\u{A0}") == "a%20b%23c%25d%27e%22é%C2%A0")
    }

    @Test(arguments: [
        ("https://Page.Example", "https://page.example"), ("HTTPS://page.example:443", "https://page.example"),
        ("http://page.example:80", "http://page.example"), ("http://page.example:443", "http://page.example:443"),
        ("https://page.example:08443", "https://page.example:8443"), ("http://localhost:8080", "http://localhost:8080"),
        ("https://page.example.", "https://page.example."), ("http://[2001:DB8:0::1]:80", "http://[2001:db8::1]"),
        ("http://[::ffff:192.0.2.1]", "http://[::ffff:c000:201]"), ("http://192.0.2.1:8080", "http://192.0.2.1:8080"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ]) func anOriginHasOneForm(written: String, form: String) throws {
        #expect(try WebOrigin(written).text == form)
        #expect(try WebOrigin(form).text == form)
    }

    @Test(arguments: [
        "", "*", "null", "page.example", "https://", "https:page.example", "https://page.example/",
        "https://page.example/app",
        "https://page.example?x", "https://page.example#x", "https://*.page.example", "https://user@page.example",
        "https://page.example:", "https://page.example:0", "https://page.example:+80", "https://page.example:65536",
        "https://page.example:443:443", "https://bücher.example", "https://127.1", "https://0x7f.1", "http://[::1",
        "http://[192.0.2.1]", "http://[::1]x", "ws://page.example", "ftp://page.example", "https://a b.example",
        "https://page.example\r", "https:///page.example", "https://a..b",
    ]) func whatNoBrowserSendsIsNoOrigin(written: String) {
        #expect(throws: DestinationError.self) { try WebOrigin(written) }
    }
}
