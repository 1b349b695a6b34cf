import Foundation
import Testing
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetQuota

@Suite struct PolicyFileTests {
    private func problems(_ text: String) -> [String] {
        do {
            _ = try PolicyFile.parse(text, file: "p.toml")
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    /// The text, and the beginning of its error message.
    static let bad: [(String, String)] = [
        ("[network]\nallw = []", "p.toml:2: network.allw: unknown key; did you mean allow?"),
        ("[netwrk]\n", "p.toml:1: netwrk: unknown key; did you mean network?"),
        (
            "[network]\ndeny = [\n  \"10.0.0.0/8\",\n  \"10.0.0.0/33\",\n]",
            "p.toml:4: network.deny[1]: \"10.0.0.0/33\": the prefix length"
        ),
        ("[network]\nallow = [\"10.0.0.1/8\"]", "p.toml:2: network.allow[0]: \"10.0.0.1/8\": 10.0.0.1/8 has bits"),
        ("[network]\nallow = [\"a*b\"]", "p.toml:2: network.allow[0]"),
        ("[network]\nallow = [\"\"]", "p.toml:2: network.allow[0]"),
        ("[network]\nallow = [\"x.example:0\"]", "p.toml:2: network.allow[0]"),
        (
            "[network]\nallow = [\"x.example:90-80\"]",
            "p.toml:2: network.allow[0]: \"x.example:90-80\": the range 90-80 is empty"
        ),
        ("[network]\nallow = [7]", "p.toml:2: network.allow[0]: a string is needed"),
        ("[network]\nallow = \"*\"", "p.toml:2: network.allow: a list of strings is needed"),
        ("[network]\nbind_ports = \"90-80\"", "p.toml:2: network.bind_ports: the range 90-80 is empty"),
        (
            "[network]\nbind_addresses = [\"localhost\"]",
            "p.toml:2: network.bind_addresses[0]: \"localhost\": \"localhost\" is not an address"
        ),
        (
            "[network]\nmax_connections = -1",
            "p.toml:2: network.max_connections: a whole number from 0 to 1000000 is needed, not -1"
        ),
        (
            "[network]\nmax_bandwidth_mbps = \"fast\"",
            "p.toml:2: network.max_bandwidth_mbps: a number from 0.0 to 1000000.0 is needed, not \"fast\""
        ),
        (
            "[limits]\nsessions_per_sec = 2e6",
            "p.toml:2: limits.sessions_per_sec: a number from 0.0 to 1000000.0 is needed, not 2000000.0"
        ),
        (
            "\n[limits]\nbytes_per_day = \"20 parsec\"",
            "p.toml:3: limits.bytes_per_day: a number of bytes, or text such as \"20GiB\" or \"500MB\", from 0 to 8192TiB is needed, not \"20 parsec\""
        ),
        ("[clients]\nidentify_by = \"name\"", "p.toml:2: clients.identify_by"),
        ("[clients]\ntrusted_proxies = [\"proxy\"]", "p.toml:2: clients.trusted_proxies[0]"),
        ("[clients]\nallowed_origins = [\"example.com\"]", "p.toml:2: clients.allowed_origins[0]"),
        (
            "[clients]\nallowed_origins = [\"https://a.example\", \"https://b.example/app\"]",
            "p.toml:2: clients.allowed_origins[1]"
        ),
        ("[clients]\nallowed_origins = [\"https://*.example\"]", "p.toml:2: clients.allowed_origins[0]"),
        ("[clients]\r\nallowed_origins = [\r\n\"ws://a.example\"]\r\n", "p.toml:3: clients.allowed_origins[0]"),
        ("[tiers.\"a b\"]\nmax_sessions = 1", "p.toml:1: tiers.a b: a tier's name"),
        ("[network]\nallow = [\"a\\nb\\u202E\"]", "p.toml:2: network.allow[0]: \"a\\nb\\u202e\": a name"),
        // The TOML library reads nothing after a NUL.
        ("[network]\n\u{0}deny = [\"*\"]", "p.toml:2: there is a control character, U+0000"),
        ("[network]\nallow = [\"a.example\\u0000.evil.example\"]", "p.toml:2: \\u0000 stands for NUL"),
        ("[network]\nallow = [\"a.example\\U00000000\"]", "p.toml:2: \\u0000 stands for NUL"),
        ("# a\n# b\u{1B}[31m\n", "p.toml:2: there is a control character, U+001B"),
        ("[network]\n# \u{85}\n", "p.toml:2: there is a control character, U+0085"),
        ("[network]\rallow = []", "p.toml:1: there is a control character, U+000D"),
        ("[clients]\nrequire_token = 1", "p.toml:2: clients.require_token"),
        (
            "[tiers.pro]\nmax_conections = 1",
            "p.toml:2: tiers.pro.max_conections: unknown key; did you mean max_connections?"
        ),
        (
            "[network]\nallow = [\n  \"*\",\n  \"tcp6/*:443\",\n]",
            "p.toml:4: network.allow[1]: \"tcp6/*:443\": \"tcp6/\" is not a transport, which is \"tcp/\" or \"udp/\"; did you mean \"tcp/\"?"
        ),
        (
            "[network]\ndeny = [\"udp/53\"]",
            "p.toml:2: network.deny[0]: \"udp/53\": a host is missing after \"udp/\"; \"*\" is every host, as in \"udp/*:53\""
        ),
        (
            "[network]\nbind_addresses = [\"udp/127.0.0.1\"]",
            "p.toml:2: network.bind_addresses[0]: \"udp/127.0.0.1\": \"udp/\" is possible only in allow, in deny and in a token's allow"
        ),
        ("[network]\nbind_ports = \"80, tcp/443\"", "p.toml:2: network.bind_ports: \"tcp/\" is possible only in allow"),
        (
            "[clients]\ntrusted_proxies = [\"tcp/10.0.0.0/8\"]",
            "p.toml:2: clients.trusted_proxies[0]: \"tcp/10.0.0.0/8\": \"tcp/\" is possible only in allow"
        ),
        (
            "[clients]\nallowed_origins = [\"tcp/https://a.example\"]",
            "p.toml:2: clients.allowed_origins[0]: \"tcp/https://a.example\": \"tcp/\" is possible only in allow"
        ),
        ("network = 1", "p.toml:1: network: a table is needed"),
        ("[network\n", "p.toml:1: not TOML"),
    ]

    @Test func aFileOfWindowsReadsAsTheSame() throws {
        let text =
            "# a comment\n[network]\nallow = [\n  \"a.example\",\t# one\n  \"b.example\",\n]\n[tiers.pro]\nmax_sessions = 3\n"
        let windows =
            "\u{FEFF}" + text.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        for text in [text, windows] {
            let policy = try PolicyFile.parse(text, file: "p.toml")
            #expect(policy.rules.allow.map(\.text) == ["a.example", "b.example"])
            #expect(policy.limits(tier: "pro").maxSessions == 3)
        }
        #expect(
            self.problems(windows + "\r\n[network]") != []
                && self.problems("[netwrk]\r\n") == self.problems("[netwrk]\n"))
    }

    @Test(arguments: Self.bad.indices)
    func complaintsHaveFileLineAndPath(index: Int) {
        let (text, beginning) = Self.bad[index]
        let problems = self.problems(text)
        #expect(problems.count == 1, "\(problems)")
        #expect(problems.first?.hasPrefix(beginning) == true, "\(problems)")
    }

    /// Input that would overflow the TOML library's stack is refused before it.
    @Test func whatIsNestedTooDeepIsToldByItsLine() {
        func chain(_ part: String, _ count: Int = 60_000) -> String {
            Array(repeating: part, count: count).joined(separator: ".")
        }
        let opened = String(repeating: "[", count: 60_000)
        let (long, raw) = (String(repeating: "\"", count: 3), String(repeating: "'", count: 3))
        let texts = [
            "\(chain("a")) = 1", "\(chain("\"a\"")) = 1", "\(chain(" 'a' ")) = 1", "[\(chain("a"))]",
            "[[\(chain("a"))]]", "a = { \(chain("a")) = 1 }", "a = { b = 1, \(chain("a")) = 1 }", "a = \(opened)",
            "a = \(String(repeating: "{a=", count: 60_000))", "a = [\"\", \(opened)", "a = [\"\\\"\", '\\', \(opened)",
            "a = [\(long)b\\\"\(long)\"\", \(opened)", "a = [\(raw)b'\(raw), \(opened)", chain("a", 17) + " = 1",
        ]
        for text in texts {
            let problems = self.problems("# x\n\(text)\n")
            #expect(
                problems == ["p.toml:2: keys, tables and arrays are nested more than 16 deep"], "\(text.prefix(60))")
        }
        let late = "# ' \" [\n[network]\nallow = [\(long)\n]\n\(long)]\n\(chain("a")) = 1"
        #expect(self.problems(late) == ["p.toml:6: keys, tables and arrays are nested more than 16 deep"])
        // As deep as allowed; and text that only looks like nesting.
        #expect(self.problems(chain("a", 16) + " = 1") == ["p.toml:1: a: unknown key"])
        let brackets = String(repeating: "[{.", count: 100)
        for text in ["# \(brackets)", "'x\(brackets)' = 1", "x = \(raw)\n\(brackets)\(raw)", "x = \"\\\"\(brackets)\""]
        {
            #expect(self.problems(text).allSatisfy { !$0.contains("nested") }, "\(text)")
        }
        let many = Array(repeating: "\"\(chain("a", 20)).example\"", count: 100).joined(separator: ",")
        #expect(self.problems("[network]\nallow = [\(many)]") == [])
    }

    @Test func everythingThatIsWrongIsToldAtOnce() {
        #expect(self.problems("[network]\nallw = []\ndeny = [\"x:y\"]\n[limits]\nmax_sessions = -1\n").count == 3)
    }

    @Test func theExampleLoadsAndNamesEveryKey() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let path = root.appending(path: "policy.example.toml").path
        let policy = try PolicyFile.load(path: path)
        #expect(policy.limits(tier: "pro").maxConnections == 500)
        #expect(policy.limits(tier: "pro").connectsPerSecond == 20)
        #expect(policy.limits.bytesPerDay == 20 << 30)
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let keys = [
            "deny", "allow", "bind_ports", "bind_addresses", "max_connections", "connection_timeout_secs",
            "max_bandwidth_mbps",
            "max_sessions", "sessions_per_sec", "session_burst", "connects_per_sec",
            "connect_burst", "resolves_per_sec", "resolve_burst", "bytes_per_day",
            "idle_timeout_secs", "identify_by", "trusted_proxies", "allowed_origins", "require_token",
        ]
        for key in keys { #expect(text.contains("\n\(key) = "), "\(key)") }
    }

    @Test func aFileThatIsNotThereIsAnError() {
        #expect(throws: PolicyFileError.self) { try PolicyFile.load(path: "does-not-exist.toml") }
    }

    /// From before "fence" and "excess".
    @Test func anOldTableOfTheModesMeansWhatItMeant() throws {
        let text = """
            [redis_failure]
            default = "open"
            max_sessions = "closed"
            max_connections = "static"
            connects_per_sec = "closed"
            resolves_per_sec = "static"
            bytes_per_day = "closed"
            """
        var expected = OutageModes()
        expected.sessions = .closed
        expected.connects = .closed
        expected.bandwidth = .open
        expected.dayBytes = .closed
        #expect(try PolicyFile.parse(text, file: "p.toml").outage == expected)
        #expect(!expected.keepsExcess)
        for (word, mode) in [("static", OutageMode.static), ("open", .open), ("closed", .closed)] {
            let modes = try PolicyFile.parse("[redis_failure]\ndefault = \"\(word)\"", file: "p.toml").outage
            #expect(
                [modes.sessions, modes.sockets, modes.connects, modes.resolves, modes.bandwidth, modes.dayBytes]
                    == Array(repeating: mode, count: 6))
            #expect(!modes.keepsExcess)
        }
        // Without the table, or with an empty one.
        for text in ["", "[redis_failure]"] {
            #expect(try PolicyFile.parse(text, file: "p.toml").outage == OutageModes())
        }
    }

    @Test func theModesOfAnOutage() throws {
        let text = "[redis_failure]\ndefault = \"fence\"\nmax_sessions = \"static\"\nexcess = \"keep\"\n"
        let modes = try PolicyFile.parse(text, file: "p.toml").outage
        #expect(modes.sessions == .static && modes.sockets == .fence && modes.keepsExcess)
        #expect(modes.connects == .closed && modes.bandwidth == .closed && modes.dayBytes == .closed)
        #expect(
            self.problems("[redis_failure]\nconnects_per_sec = \"fence\"\nexcess = \"some\"\nmax_sessions = \"half\"")
                == [
                    "p.toml:2: redis_failure.connects_per_sec: \"fence\" is for max_sessions and max_connections; use \"closed\" here",
                    "p.toml:3: redis_failure.excess: \"end\" or \"keep\" is needed, not \"some\"",
                    "p.toml:4: redis_failure.max_sessions: \"static\", \"open\", \"closed\" or \"fence\" is needed, not \"half\"",
                ])
    }
}
