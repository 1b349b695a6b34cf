import Testing
import WasmnetNet
import WasmnetPolicy

@Suite struct EntryTests {
    @Test(
        "one way to write each subject, and it reads as itself",
        arguments: [
            ("203.0.113.7", "203.0.113.7"), ("203.0.113.7/32", "203.0.113.7"), ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8:443", "10.0.0.0/8:443"), ("203.0.113.7:443-443", "203.0.113.7:443"),
            ("203.0.113.7:1-65535", "203.0.113.7"), ("203.0.113.7:8000-9000", "203.0.113.7:8000-9000"),
            ("2001:DB8:0::1", "2001:db8::1"), ("2001:db8::/32", "2001:db8::/32"), ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:443", "[2001:db8::1]:443"), ("[2001:db8::]/32:443", "[2001:db8::]/32:443"),
            ("::ffff:203.0.113.7", "203.0.113.7"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:0:0/95", nil), ("[::ffff:203.0.113.7]:25", "203.0.113.7:25"),
            ("API.Example.COM.", "api.example.com"), ("*.Example.org:25", "*.example.org:25"),
            ("client", "client"), ("client.:80", "client.:80"),
            ("client:a:203.0.113.7", "client:a:203.0.113.7"), ("client:a:203.0.113.0/24", "client:a:203.0.113.0/24"),
            ("client:a:2001:db8::/64", "client:a:2001:db8::/64"), ("client:a:2001:DB8::/48", "client:a:2001:db8::/48"),
            ("client:a:::ffff:203.0.113.7", "client:a:203.0.113.7"), ("client:a:local", "client:a:local"),
            ("client:t:auth0|7", "client:t:auth0|7"), ("client:t:a%20b%C3%a9%25", "client:t:a%20b%C3%A9%25"),
            ("client:t:%61", "client:t:a"), ("client:t:a b", "client:t:a%20b"),
            ("client:t:Jos\u{E9}", "client:t:Jos%C3%A9"),
            ("client:t:O'Brien", "client:t:O'Brien"), ("client:t:e\u{301}", "client:t:e%CC%81"),
            ("client:t:\u{212A}", "client:t:%E2%84%AA"),
        ] as [(String, String?)])
    func canonical(_ text: String, _ expected: String?) throws {
        guard let expected else {
            #expect(throws: DenylistError.self) { try DenylistSubject(text) }
            return
        }
        let subject = try DenylistSubject(text)
        #expect(subject.text == expected)
        let again = try DenylistSubject(subject.text)
        #expect(again == subject)
        #expect(again.text == subject.text)
    }

    @Test(
        "what is no entry is told in words",
        arguments: [
            ("", "the address is empty"), ("*", "to deny everything use the policy's deny"),
            ("*:25", "to deny everything use the policy's deny"), ("10.1.2.3/8", "the network is 10.0.0.0/8"),
            ("10.0.0.0/33", "0 to 32"), ("2001:db8::/129", "0 to 128"), ("203.0.113.7:0", "1 to 65535"),
            ("203.0.113.7:9-8", "is empty"), ("a b", "letters, digits"), ("bücher.example", "xn--"),
            ("a.*.example", "wildcard"), ("0x7f.1", "inet_pton"), ("client:80", "client:a:ADDRESS"),
            ("client:t:", "client:a:ADDRESS"), ("client:a:", "client:a:ADDRESS"), ("client:", "client:a:ADDRESS"),
            ("client:t:a\nb", "control"), ("client:t:%00", "control"), ("client:t:%C2%9B", "control"),
            ("client:t:\(String(repeating: "x", count: 257))", "1 to 256 bytes"), ("client:t:%", "hexadecimal"),
            ("client:t:%f", "hexadecimal"),
            ("client:t:%ff", "hexadecimal"), ("client:a:somewhere", "neither an address nor a network"),
            ("client:a:203.0.113", "inet_pton"), ("client:a:203.0.113.7:80", "neither an address nor a network"),
            ("client:a:2001:db8::1", "write client:a:2001:db8::/64"),
            ("tcp/203.0.113.7", "for both TCP and UDP: leave it out"),
            ("client:a:udp/203.0.113.7", "for both TCP and UDP: leave it out"),
            ("client:a:*", "neither an address nor a network"),
            ("client:t:\(String(repeating: "x", count: 1100))", "at most 1024 bytes"),
        ])
    func refused(_ text: String, _ words: String) {
        #expect {
            try DenylistSubject(text)
        } throws: { error in
            "\(error)".contains(words)
        }
    }

    @Test func aClientsIDMayHoldAnyText() throws {
        for id in ["t:a b %é", "t:client:t:x", "t:#", "a:198.51.100.3", "a:2001:db8:1:2::/64"] {
            let subject = try DenylistSubject(clientID: id)
            #expect(try DenylistSubject(subject.text) == subject)
            #expect(subject.text.utf8.allSatisfy { (0x21...0x7E).contains($0) })
            let list = Denylist([DenylistEntry(subject)])
            #expect(list.entry(forClient: id, at: listStart)?.subject == subject, "\(id)")
            #expect(list.entry(forClient: id.hasPrefix("t:") ? id + "9" : "a:198.51.100.9", at: listStart) == nil)
        }
        #expect(throws: DenylistError.self) { try DenylistSubject(clientID: "x:1") }
        // Names that look alike are two clients.
        let list = Denylist([DenylistEntry(try DenylistSubject(clientID: "t:Kate"))])
        #expect(list.entry(forClient: "t:Kate", at: listStart) != nil)
        #expect(list.entry(forClient: "t:\u{212A}ate", at: listStart) == nil)
    }

    @Test func aReasonIsOneLineOfPrintableText() throws {
        #expect(try DenylistReason("  spam, since Monday  ")?.text == "spam, since Monday")
        #expect(try DenylistReason("   ") == nil)
        for text in ["a\nb", "a\u{1B}[31m", "a\u{202E}b", "a\u{85}b", String(repeating: "é", count: 129)] {
            #expect(throws: DenylistError.self) { try DenylistReason(text) }
        }
        #expect(try DenylistReason("\u{E9}") != DenylistReason("e\u{301}"))
    }

    @Test(
        "moments as RFC 3339 writes them",
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_795_595_400_125, "2026-11-25T08:30:00.125Z"), (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (4_107_542_399_007, "2100-02-28T23:59:59.007Z"),
        ] as [(Int64, String)])
    func moments(_ milliseconds: Int64, _ text: String) {
        #expect(UnixTime(milliseconds: milliseconds).description == text)
        #expect(UnixTime(text)?.milliseconds == milliseconds)
    }

    @Test func momentsThatAreNone() {
        for text in [
            "2026-11-25", "2026-11-25T08:30:00", "2026-11-25t08:30:00Z", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234Z", "1969-12-31T23:59:59Z", "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00+00:00", "", "Z",
        ] {
            #expect(UnixTime(text) == nil, "\(text)")
        }
        var random = seeded()
        for _ in 0..<2000 {
            let time = UnixTime(milliseconds: Int64.random(in: 0...UnixTime.last.milliseconds, using: &random))
            #expect(UnixTime(time.description) == time)
        }
        #expect(UnixTime("2026-01-01T00:00:00.5Z")?.milliseconds == UnixTime("2026-01-01T00:00:00.500Z")?.milliseconds)
    }
}
