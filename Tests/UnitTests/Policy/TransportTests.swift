import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetPolicyFile
import WasmnetTesting

/// Entries that begin with `tcp/` or `udp/`.
@Suite struct TransportTests {
    /// policy, destination, port, whether by TCP, whether by UDP
    static let rows: [(String, String, UInt16, Bool, Bool)] = [
        ("allow = [\"udp/*:53\"]", "8.8.8.8", 53, false, true),
        ("allow = [\"udp/*:53\"]", "8.8.8.8", 54, false, false),
        ("allow = [\"udp/*:53\"]", "ns.example>8.8.8.8", 53, false, true),
        ("allow = [\"tcp/*\", \"udp/*:53\"]", "8.8.8.8", 53, true, true),
        ("allow = [\"tcp/*\", \"udp/*:53\"]", "8.8.8.8", 443, true, false),
        ("deny = [\"udp/*\"]\nallow = [\"*\"]", "8.8.8.8", 443, true, false),
        ("deny = [\"udp/*\"]\nallow = [\"*\"]", "api.example>8.8.8.8", 443, true, false),
        ("deny = [\"udp/*\"]\nallow = [\"*\", \"8.8.8.8\"]", "8.8.8.8", 53, true, true),
        ("deny = [\"udp/*:443\"]\nallow = [\"*\", \"8.8.8.8\"]", "8.8.8.8", 443, true, false),
        ("deny = [\"udp/*:443\"]\nallow = [\"*\"]", "8.8.8.8", 53, true, true),
        ("deny = [\"tcp/8.8.0.0/16:25\"]\nallow = [\"*\"]", "8.8.8.8", 25, false, true),
        ("deny = [\"tcp/8.8.0.0/16:25\"]\nallow = [\"*\"]", "8.8.8.8", 26, true, true),
        ("deny = [\"udp/[2606:4700::1111]:53\"]\nallow = [\"*\"]", "2606:4700::1111", 53, true, false),
        ("deny = [\"tcp/*.evil.example\"]\nallow = [\"*\"]", "x.evil.example>8.8.8.8", 443, false, true),
        ("deny = [\"*\"]\nallow = [\"udp/ns.example:53\"]", "ns.example>8.8.8.8", 53, false, true),
        ("deny = [\"*\"]\nallow = [\"tcp/*.example\"]", "ns.example>8.8.8.8", 53, true, false),
        // An entry that opens a special address opens it for its transport.
        ("allow = [\"*\", \"udp/10.0.0.1:53\"]", "10.0.0.1", 53, false, true),
        ("allow = [\"*\", \"udp/db.internal\"]", "db.internal>10.0.0.1", 53, false, true),
        ("allow = [\"*\", \"tcp/169.254.169.254\"]", "169.254.169.254", 80, true, false),
        ("allow = [\"udp/10.0.0.0/8\"]", "64:ff9b::10.0.0.1", 53, false, true),
        ("deny = [\"tcp/10.0.0.0/8\"]\nallow = [\"10.0.0.0/8\"]", "::ffff:10.0.0.1", 53, false, true),
        // Of entries for every host the narrower one takes precedence, if it names a transport.
        ("deny = [\"udp/*\"]\nallow = [\"*\", \"udp/*:53\"]", "8.8.8.8", 53, true, true),
        ("deny = [\"udp/*\"]\nallow = [\"*\", \"udp/*:53\"]", "ns.example>8.8.8.8", 53, true, true),
        ("deny = [\"udp/*\"]\nallow = [\"*\", \"udp/*:53\"]", "8.8.8.8", 54, true, false),
        ("deny = [\"udp/*\"]\nallow = [\"udp/*:53\"]", "8.8.8.8", 53, false, true),
        ("deny = [\"udp/*\"]\nallow = [\"udp/*:53\"]", "10.0.0.1", 53, false, false),
        ("deny = [\"*\"]\nallow = [\"udp/*:53\"]", "8.8.8.8", 53, false, true),
        ("deny = [\"*\"]\nallow = [\"tcp/*\"]", "8.8.8.8", 53, true, false),
        ("deny = [\"*\", \"udp/*\"]\nallow = [\"udp/*\"]", "8.8.8.8", 53, false, false),
        ("deny = [\"tcp/*\"]\nallow = [\"tcp/*\", \"udp/*\"]", "8.8.8.8", 53, false, true),
        ("deny = [\"udp/*\"]\nallow = [\"*:53\"]", "8.8.8.8", 53, true, false),
        ("deny = [\"udp/*:53\"]\nallow = [\"udp/*:53\"]", "8.8.8.8", 53, false, false),
        // As before.
        ("deny = [\"*\"]\nallow = [\"*:53\"]", "8.8.8.8", 53, false, false),
        ("deny = [\"*\"]\nallow = [\"*\"]", "8.8.8.8", 53, false, false),
    ]

    @Test(arguments: Self.rows.indices) func eachTransportHasItsEntries(index: Int) throws {
        let (rules, destination, port, tcp, udp) = Self.rows[index]
        let policy = try Self.policy(rules)
        let (host, name, address) = try Self.parts(destination)
        for (transport, expected) in [(TransportProtocol.tcp, tcp), (.udp, udp)] {
            let decision = Self.decide(policy, name, address, port, transport)
            #expect(decision.allowed == expected, "\(Self.rows[index]) \(transport): \(decision.reason)")
            let explanation = policy.explain(host: host, port: port, transport: transport, resolved: [address])
            #expect(explanation.allowed == expected)
            let last = try #require(explanation.steps.last)
            #expect((last.hasPrefix("this is for \(transport);")) == (tcp != udp), "\(explanation)")
        }
    }

    /// The port is for the connect that follows, and so is the transport.
    @Test(arguments: [
        ("allow = [\"udp/*:53\"]", true), ("allow = [\"udp/ns.example:53\"]", true), ("allow = [\"tcp/*\"]", true),
        ("deny = [\"udp/*\"]\nallow = [\"*\"]", true), ("deny = [\"tcp/*\"]\nallow = [\"*\"]", true),
        ("deny = [\"tcp/*\", \"udp/*\"]\nallow = [\"*\"]", false),
        ("deny = [\"tcp/ns.example\"]\nallow = [\"*\"]", true),
        ("deny = [\"tcp/ns.example\", \"udp/*.example\"]\nallow = [\"*\"]", false),
        ("deny = [\"tcp/ns.example\"]\nallow = [\"tcp/*\", \"udp/other.example\"]", false),
        ("deny = [\"udp/8.8.8.8\", \"tcp/8.0.0.0/8\"]\nallow = [\"*\"]", false), ("", false),
    ]) func aNameIsLookedUpWhereEitherTransportMayReachIt(rules: String, expected: Bool) throws {
        let policy = try Self.policy(rules)
        let name = try HostName(parsing: "ns.example")
        let address = try #require(IPAddress("8.8.8.8"))
        let isAllowed =
            policy.decideLookup(name: name).allowed && policy.decideResolved(address: address, name: name).allowed
        #expect(isAllowed == expected, "\(rules)")
    }

    @Test func oneLabelIsAskedOfDNSForEitherTransport() throws {
        let policy = try Self.policy("allow = [\"*\", \"udp/ns:53\", \"tcp/db\"]")
        for (name, asked) in [("ns", true), ("db", true), ("web", false)] {
            #expect(policy.mayAskDNS(for: try HostName(parsing: name)) == asked, "\(name)")
        }
    }

    @Test func anExplanationTellsOfTheOtherTransport() throws {
        let policy = try Self.policy("deny = [\"udp/evil.example\"]\nallow = [\"tcp/*\", \"udp/*:53\"]")
        let address = try #require(IPAddress("8.8.8.8"))
        func steps(_ host: String, _ transport: TransportProtocol, _ resolved: [IPAddress]) -> [String] {
            policy.explain(host: host, port: 443, transport: transport, resolved: resolved).steps
        }
        #expect(
            steps("8.8.8.8", .udp, [address]) == [
                "8.8.8.8 is the address 8.8.8.8; nothing is looked up", "the address: 8.8.8.8:443 is not in allow",
                "this is for udp; for tcp it is allowed",
            ])
        #expect(
            steps("evil.example", .udp, []) == [
                "the name: evil.example:443 is denied by the entry \"udp/evil.example\"",
                "this is for udp; for tcp its addresses decide",
            ])
        #expect(steps("gone.example", .tcp, []).last == "gone.example was not found")
    }

    // MARK: Against a plain list

    private struct Plain {
        var transport: TransportProtocol?
        var host: String
        var ports: ClosedRange<UInt16>?

        var text: String {
            let port = self.ports.map { $0.count == 1 ? ":\($0.lowerBound)" : ":\($0.lowerBound)-\($0.upperBound)" }
            return (self.transport.map { "\($0)/" } ?? "") + self.host + (port ?? "")
        }

        func names(_ name: String?, _ address: IPAddress, _ port: UInt16) -> Bool {
            guard self.ports?.contains(port) != false else { return false }
            guard !self.host.hasPrefix("*.") else { return ".\(name ?? "")".hasSuffix(String(self.host.dropFirst())) }
            let parts = self.host.split(separator: "/")
            guard let network = IPAddress(String(parts[0])) else { return self.host == name }
            let length = parts.count > 1 ? Int(parts[1]) ?? 0 : 32
            return Prefix(network, length: length)?.contains(address) == true
        }
    }

    /// Public addresses only, so that the built-in guard does not matter.
    private static func isAllowed(
        _ deny: [Plain], _ allow: [Plain], _ name: String?, _ address: IPAddress, _ port: UInt16,
        _ transport: TransportProtocol
    ) -> Bool {
        func isFor(_ entry: Plain) -> Bool { entry.transport == nil || entry.transport == transport }
        let (deny, allow) = (deny.filter(isFor), allow.filter(isFor))
        let denied = deny.contains {
            $0.host == "*" ? $0.ports?.contains(port) == true : $0.names(name, address, port)
        }
        if denied { return false }
        if allow.contains(where: { $0.host != "*" && $0.names(name, address, port) }) { return true }
        let all = allow.filter { $0.host == "*" && $0.ports?.contains(port) != false }
        let byDefault = deny.filter { $0.host == "*" && $0.ports == nil }
        if byDefault.isEmpty { return !all.isEmpty }
        return all.contains { entry in
            entry.transport != nil && (entry.ports != nil || byDefault.allSatisfy { $0.transport == nil })
        }
    }

    @Test(arguments: 0..<8 as Range<UInt64>) func anIndexedListDecidesAsAPlainOne(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let hosts = [
            "*", "*", "8.8.8.8", "8.8.0.0/16", "9.0.0.0/8", "a.example", "*.example", "b.a.example", "*.a.example",
        ]
        let transports: [TransportProtocol?] = [nil, .tcp, .udp]
        func list() -> [Plain] {
            (0..<Int.random(in: 0...5, using: &random)).map { _ in
                let first = UInt16.random(in: 1...4, using: &random)
                let ports: [ClosedRange<UInt16>?] = [nil, nil, first...first, first...4]
                return Plain(
                    transport: transports[Int.random(in: 0..<3, using: &random)],
                    host: hosts[Int.random(in: hosts.indices, using: &random)],
                    ports: ports[Int.random(in: ports.indices, using: &random)])
            }
        }
        let addresses = ["8.8.8.8", "8.8.4.4", "9.9.9.9", "11.0.0.1"].compactMap { IPAddress($0) }
        for _ in 0..<400 {
            let (deny, allow) = (list(), list())
            var rules = Policy.Rules()
            rules.deny = try deny.map { try PolicyEntry($0.text) }
            rules.allow = try allow.map { try PolicyEntry($0.text) }
            let policy = Policy(rules)
            let address = try #require(addresses.randomElement(using: &random))
            let texts: [String?] = [nil, "a.example", "b.a.example", "c.test"]
            let text = texts[Int.random(in: texts.indices, using: &random)]
            let name = try text.map { try HostName(parsing: $0) }
            for transport in TransportProtocol.allCases {
                for port: UInt16 in 1...4 {
                    let expected = Self.isAllowed(deny, allow, text, address, port, transport)
                    let decision = Self.decide(policy, name, address, port, transport)
                    #expect(
                        decision.allowed == expected,
                        "deny \(deny.map(\.text)) allow \(allow.map(\.text)) \(transport): \(decision.reason)")
                }
            }
            // A lookup is allowed if either transport would be with the other denied.
            let apart = try ["udp", "tcp"].contains { other in
                var one = rules
                one.deny.append(try PolicyEntry("\(other)/*:1-65535"))
                return Self.mayLookUp(Policy(one), name, address)
            }
            #expect(
                Self.mayLookUp(policy, name, address) == apart, "deny \(deny.map(\.text)) allow \(allow.map(\.text))")
        }
    }

    // MARK: Reading

    @Test(
        arguments: [
            ("tcp/*", TransportProtocol.tcp), ("udp/*:53", .udp), ("udp/10.0.0.0/8:53", .udp),
            ("tcp/[2001:db8::]/32:1", .tcp),
            ("tcp/a.example", .tcp), ("udp/*.a.example:1-2", .udp), ("*", nil), ("10.0.0.0/8", nil), ("udp", nil),
            ("tcp:80", nil), ("udp.example", nil),
        ] as [(String, TransportProtocol?)]) func anEntryIsKeptAsItIsWritten(
            text: String, transport: TransportProtocol?
        ) throws
    {
        let entry = try PolicyEntry(text)
        #expect(entry.transport == transport && entry.text == text)
        let plain = try PolicyEntry(transport == nil ? text : String(text.dropFirst(4)))
        #expect(entry.subject == plain.subject && entry.ports == plain.ports && (entry == plain) == (transport == nil))
        #expect(transport == nil || entry.network == nil)
    }

    @Test(arguments: [
        ("tcp6/*", "\"tcp6/\" is not a transport, which is \"tcp/\" or \"udp/\"; did you mean \"tcp/\"?"),
        ("UDP/*:53", "\"UDP/\" is not a transport, which is \"tcp/\" or \"udp/\"; did you mean \"udp/\"?"),
        ("udp://8.8.8.8:53", "\"udp:/\" is not a transport, which is \"tcp/\" or \"udp/\"; did you mean \"udp/\"?"),
        ("quic/*", "\"quic/\" is not a transport, which is \"tcp/\" or \"udp/\""),
        ("tcp/", "a host is missing after \"tcp/\"; \"*\" is every host, as in \"tcp/*\""),
        ("udp/53", "a host is missing after \"udp/\"; \"*\" is every host, as in \"udp/*:53\""),
        ("*:53/udp", "the transport comes first: \"udp/*:53\""),
        ("tcp/udp/*", "an entry has one transport; without \"tcp/\" and \"udp/\" it is for both"),
        ("tcp/10.0.0.1/8", "10.0.0.1/8 has bits beyond its prefix; the network is 10.0.0.0/8"),
        ("udp/*:0", "\"0\" is not a port or a range of ports from 1 to 65535"),
        // Errors that were reported before are reported in the same words.
        ("10.0.0/8", "10.0.0 is not an address"), ("example/24", "example is not an address"),
        ("a.example/x", "a.example is not an address"),
        ("fe80/10", "fe80 is not an address"), ("10.0.0.0/udp6", "the prefix length must be 0 to 32"),
        ("/8", " is not an address"),
    ]) func whatIsNoTransportIsToldInWords(text: String, words: String) {
        let error = #expect(throws: DestinationError.self) { try PolicyEntry(text) }
        #expect(error?.description == words)
    }

    // MARK: Support

    private static func policy(_ rules: String) throws -> Policy {
        try PolicyFile.parse("[network]\n\(rules)\n", file: "transport")
    }

    /// `name>address`, or an address.
    private static func parts(_ destination: String) throws -> (String, HostName?, IPAddress) {
        let parts = destination.split(separator: ">").map(String.init)
        let address = try #require(IPAddress(parts[parts.count - 1])).withoutV4Mapping
        return (parts[0], parts.count > 1 ? try HostName(parsing: parts[0]) : nil, address)
    }

    private static func mayLookUp(_ policy: Policy, _ name: HostName?, _ address: IPAddress) -> Bool {
        name.map { policy.decideLookup(name: $0).allowed } != false
            && policy.decideResolved(address: address, name: name).allowed
    }

    /// The relay's order: the name, then the address.
    private static func decide(
        _ policy: Policy, _ name: HostName?, _ address: IPAddress, _ port: UInt16, _ transport: TransportProtocol
    ) -> PolicyDecision {
        if let name {
            let decision = policy.decide(name: name, port: port, transport: transport)
            guard decision.allowed else { return decision }
        }
        return policy.decide(address: address, port: port, name: name, transport: transport)
    }
}
