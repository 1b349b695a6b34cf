import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

@Suite struct FileTests {
    private func read(_ text: String) throws -> [DenylistEntry] {
        try DenylistFile.read(Array(text.utf8), name: "list.txt")
    }

    @Test func linesCommentsAndWhatStandsBehindAnEntry() throws {
        let entries = try self.read(
            """
            # a list
            203.0.113.7
              \t*.Example.org:25   # mail

            10.0.0.0/8 until=2026-11-25T08:30:00Z
            client:t:a%20b until=2026-11-25T08:30:00.5Z reason=told # twice, until=never
            2001:db8::1 reason=
            host.test\treason=  ends in CR\r
            203.0.113.8#1.test.
            """.replacing("203.0.113.8#1.test.", with: "203.0.113.8\r"))
        #expect(
            entries.map(\.description) == [
                "203.0.113.7", "*.example.org:25", "10.0.0.0/8 until=2026-11-25T08:30:00Z",
                "client:t:a%20b until=2026-11-25T08:30:00.500Z reason=told # twice, until=never", "2001:db8::1",
                "host.test reason=ends in CR", "203.0.113.8",
            ])
        #expect(try self.read("").isEmpty)
    }

    @Test func aFileOfWindowsReadsAsTheSame() throws {
        let text = "\u{FEFF}# a comment\r\n203.0.113.7\r\n\r\na.test reason=\u{301}why\r\nclient:t:Jos\u{E9} # x\r\n"
        #expect(
            try self.read(text).map(\.description) == ["203.0.113.7", "a.test reason=\u{301}why", "client:t:Jos%C3%A9"])
        for bad in ["a.test\u{0}", "a.test # \u{9B}", "a.test\rb.test", "\u{0}"] {
            #expect(throws: DenylistFile.Failure.self) { try self.read("b.test\n\(bad)\n") }
        }
    }

    @Test func everyBadLineIsNamed() throws {
        var bytes = Array(
            """
            10.1.2.3/8
            203.0.113.7
            a.test sometime
            a.test until=tomorrow
            a.test until=2026-11-25T08:30:00Z until=2026-11-25T08:30:00Z
            a.test reason=bell\u{7}
            a.test#1

            """.utf8)
        bytes += [0x61, 0xFF]
        #expect {
            try DenylistFile.read(bytes, name: "list.txt")
        } throws: { error in
            let lines = "\(error)".split(separator: "\n")
            #expect(
                lines.map { $0.prefix { $0 != " " } } == [1, 3, 4, 5, 6, 7, 8].map { "list.txt:\($0):" })
            #expect(lines.first == "list.txt:1: 10.1.2.3/8 has bits beyond its prefix; the network is 10.0.0.0/8")
            #expect(lines.last == "list.txt:8: this is not UTF-8")
            return true
        }
    }

    @Test func noMoreThanSoManyProblemsAreTold() throws {
        #expect {
            try self.read(String(repeating: "?\n", count: 100_000))
        } throws: { error in
            guard let failure = error as? DenylistFile.Failure else { return false }
            return failure.problems.count == DenylistFile.maxProblems && failure.hasMore
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        var random = seeded(3)
        let reasons = [nil, "one", "a # b", "until=2026-11-25T08:30:00Z", "reason=x", "größer 日本", "\\n"]
        let entries = try (0..<2000).map { _ in
            DenylistEntry(
                try subject(Draw.subject(&random)),
                expiry: Bool.random(using: &random)
                    ? nil : UnixTime(milliseconds: .random(in: 1...UnixTime.last.milliseconds, using: &random)),
                reason: try reasons.randomElement(using: &random).flatMap { $0 }.flatMap { try DenylistReason($0) })
        }
        #expect(try self.read(DenylistFile.write(entries)) == entries)
    }
}
