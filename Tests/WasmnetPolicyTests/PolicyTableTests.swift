import Testing
import WasmnetPolicy
import WasmnetPolicyFile

/// One line a case: policy, destination (`name>address` for a name that resolves to it), verdict. The resolver is the table.
@Suite struct PolicyTableTests {
    static let policies: [String: String] = [
        "open": "allow = [\"*\"]",
        "example": """
        deny = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16"]
        allow = ["*"]
        """,
        "closed":
            "deny = [\"*\"]\nallow = [\"api.example.com:443\", \"*.github.com\", \"93.184.216.0/24:80-89\", \"2606:4700::/32\"]",
        "nothing": "",
        "listed": "allow = [\"api.example.com\", \"8.8.8.0/24\"]",
        "private-name": "deny = [\"*\"]\nallow = [\"db.internal:5432\", \"*.wild.internal\"]",
        "private-cidr": "allow = [\"*\", \"10.1.0.0/16:5432\", \"127.0.0.1:6379\", \"fd00:1::/32\"]",
        "written-deny": "deny = [\"10.0.0.0/8\"]\nallow = [\"*\", \"db.internal\", \"10.1.2.3\"]",
        "ports": "deny = [\"*:25\", \"bad.example:8000-8999\", \"8.8.4.4:53\"]\nallow = [\"*\"]",
        "names": "deny = [\"evil.example\", \"*.ads.example\"]\nallow = [\"*\"]",
        "v6port": "deny = [\"[2606:4700::1111]:443\", \"[2a00::/16]:22\"]\nallow = [\"*\"]",
    ]

    /// Destinations denied by the built-in guard under every policy that does not open them.
    static let guarded = [
        "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.7", "192.168.0.1", "198.18.0.1",
        "198.19.255.255", "198.51.100.9", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b:1::1",
        "100::1", "2001:2::1", "192.88.99.1", "5f00::1", "2001:10::1", "2001:1f:ffff::1", "2001:20::1",
        "2001:2f:ffff::1",
        "2001:30::1", "2001:1::1", "2001:1ff:ffff::1", "3fff::1", "3fff:fff:ffff::1",
        // Beyond global unicast nothing is public, assigned or not.
        "1::1", "::1:0:0:1", "100:0:0:1::1", "200::1", "1fff:ffff::1", "4000::1", "8000::1", "fbff::1",
        "64:ff9b:0:1::808:808",
        "64:ff9b::1:808:808",
        // IPv4 inside IPv6: mapped, translated, compatible, NAT64, 6to4, Teredo (client bits inverted).
        "::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1", "::ffff:0:a9fe:a9fe",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:7f00:1", "::10.0.0.1", "::127.0.0.1",
        "64:ff9b::10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::192.168.1.1", "2002:7f00:1::", "2002:a00:1::1",
        "2002:c0a8:101::1", "2001:0:808:808:0:0:80ff:fffe", "2001:0:808:808::f5ff:fffe", "[::1]", "[fe80::1]",
    ]

    static let open = [
        "8.8.8.8", "1.1.1.1", "93.184.216.34", "11.0.0.1", "9.255.255.255", "100.63.255.255", "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.167.255.255", "192.169.0.1",
        "198.17.255.255",
        "198.20.0.1", "223.255.255.255", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8",
        "2002:808:808::1",
        "::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "[2606:4700::1111]", "2001:4860:4860::8888", "192.88.98.255",
        "192.88.100.0",
        "2000::1", "2001:200::1", "2003::1", "3fff:1000::1", "3ffe::1",
    ]

    static let notDestinations = [
        "", ".", "..", "a..b", "-a.example", "a-.example", "a b", "a/b", "ex_ample.com:1", "0177.0.0.1", "0x7f.0.0.1",
        "127.1",
        "2130706433", "0x7f000001", "017700000001", "127.0.0.1.", "1.2.3.4.5", "256.1.1.1", "1.2.3", "01.2.3.4",
        "1.2.3.04",
        "bücher.example", "[127.0.0.1]", "[::1", "::1]", "fe80::1%eth0", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", ":::",
        "1::2::3",
        "12345::", "::1.2.3", "::256.1.1.1", "g::1", String(repeating: "a", count: 64) + ".example",
        String(repeating: "abcdefgh.", count: 32) + "example",
    ]

    /// policy | destination | port | allowed
    static let cases = """
        example | api.example.com>93.184.216.34 | 443 | yes
        example | api.example.com>10.0.0.1 | 443 | no
        example | API.Example.COM.>93.184.216.34 | 443 | yes
        open | rebound.example>127.0.0.1 | 80 | no
        open | rebound.example>::ffff:127.0.0.1 | 80 | no
        closed | api.example.com>93.184.216.34 | 443 | yes
        closed | api.example.com>1.2.3.4 | 443 | yes
        closed | api.example.com>1.2.3.4 | 80 | no
        closed | API.EXAMPLE.COM.>1.2.3.4 | 443 | yes
        closed | xapi.example.com>1.2.3.4 | 443 | no
        closed | api.example.com.evil.example>1.2.3.4 | 443 | no
        closed | github.com>1.2.3.4 | 22 | yes
        closed | api.github.com>1.2.3.4 | 22 | yes
        closed | a.b.github.com>1.2.3.4 | 22 | yes
        closed | notgithub.com>1.2.3.4 | 22 | no
        closed | github.com.evil.example>1.2.3.4 | 22 | no
        closed | api.github.com>10.0.0.1 | 22 | no
        closed | 93.184.216.34 | 80 | yes
        closed | 93.184.216.34 | 89 | yes
        closed | 93.184.216.34 | 90 | no
        closed | 93.184.216.34 | 79 | no
        closed | 93.184.217.1 | 80 | no
        closed | ::ffff:93.184.216.34 | 80 | yes
        closed | 2606:4700::1 | 9 | yes
        closed | 2606:4701::1 | 9 | no
        closed | api.example.com>10.0.0.1 | 443 | yes
        closed | other.example>93.184.216.34 | 80 | yes
        nothing | 8.8.8.8 | 53 | no
        nothing | api.example.com>8.8.8.8 | 443 | no
        listed | api.example.com>1.2.3.4 | 1 | yes
        listed | 8.8.8.8 | 53 | yes
        listed | 8.8.9.8 | 53 | no
        listed | 1.2.3.4 | 1 | no
        listed | api.example.com>192.168.1.1 | 1 | yes
        listed | www.example.com>8.8.8.8 | 1 | yes
        private-name | db.internal>10.0.0.5 | 5432 | yes
        private-name | db.internal>10.0.0.5 | 5433 | no
        private-name | DB.internal.>127.0.0.1 | 5432 | yes
        private-name | a.wild.internal>10.0.0.5 | 1 | no
        private-name | a.wild.internal>8.8.8.8 | 1 | yes
        private-name | wild.internal>8.8.8.8 | 1 | yes
        private-name | 10.0.0.5 | 5432 | no
        private-cidr | 10.1.2.3 | 5432 | yes
        private-cidr | 10.1.2.3 | 5433 | no
        private-cidr | 10.2.2.3 | 5432 | no
        private-cidr | 127.0.0.1 | 6379 | yes
        private-cidr | 127.0.0.2 | 6379 | no
        private-cidr | ::ffff:127.0.0.1 | 6379 | yes
        private-cidr | ::1 | 6379 | no
        private-cidr | fd00:1::7 | 1 | yes
        private-cidr | fd00:2::7 | 1 | no
        private-cidr | 8.8.8.8 | 53 | yes
        written-deny | db.internal>10.0.0.5 | 1 | no
        written-deny | db.internal>192.168.0.5 | 1 | yes
        written-deny | 10.1.2.3 | 1 | no
        written-deny | 64:ff9b::10.1.2.3 | 1 | no
        written-deny | 2002:a01:203::1 | 1 | no
        ports | 8.8.8.8 | 25 | no
        ports | mail.example>8.8.8.8 | 25 | no
        ports | 8.8.8.8 | 26 | yes
        ports | bad.example>8.8.8.8 | 8000 | no
        ports | bad.example>8.8.8.8 | 8999 | no
        ports | bad.example>8.8.8.8 | 9000 | yes
        ports | BAD.EXAMPLE.>8.8.8.8 | 8500 | no
        ports | 8.8.4.4 | 53 | no
        ports | ::ffff:8.8.4.4 | 53 | no
        ports | 8.8.4.4 | 54 | yes
        names | evil.example>8.8.8.8 | 443 | no
        names | www.evil.example>8.8.8.8 | 443 | yes
        names | ads.example>8.8.8.8 | 443 | no
        names | x.ads.example>8.8.8.8 | 443 | no
        names | xads.example>8.8.8.8 | 443 | yes
        v6port | 2606:4700::1111 | 443 | no
        v6port | [2606:4700::1111] | 443 | no
        v6port | 2606:4700::1111 | 444 | yes
        v6port | 2a00:1::1 | 22 | no
        v6port | 2a01:1::1 | 22 | yes
        """

    static func policy(_ name: String) throws -> Policy {
        let text = try #require(Self.policies[name])
        return try PolicyFile.parse("[network]\n\(text)\n", file: name)
    }

    /// The relay's order: the name, then each address.
    static func decide(_ policy: Policy, _ destination: String, _ port: UInt16) throws -> PolicyDecision {
        let parts = destination.split(separator: ">")
        switch try Destination(parsing: String(parts[0])) {
        case .address(let address): return policy.decide(address: address, port: port, name: nil, transport: .tcp)
        case .name(let name):
            let first = policy.decide(name: name, port: port, transport: .tcp)
            guard first.allowed else { return first }
            let address = try #require(IPAddress(parts[1]))
            return policy.decide(address: address, port: port, name: name, transport: .tcp)
        }
    }

    @Test(arguments: Self.cases.split(separator: "\n").map(String.init))
    func destination(line: String) throws {
        let fields = line.split(separator: "|").map { $0.filter { $0 != " " } }
        let decision = try Self.decide(Self.policy(fields[0]), fields[1], try #require(UInt16(fields[2])))
        #expect(decision.allowed == (fields[3] == "yes"), "\(decision.reason)")
    }

    @Test(arguments: Self.guarded)
    func theGuardHolds(address: String) throws {
        let decision = try Self.decide(Self.policy("open"), address, 443)
        guard case .builtInGuard = decision.rule else {
            Issue.record("\(address): \(decision.reason)")
            return
        }
    }

    @Test(arguments: Self.open)
    func publicAddressesAreOpen(address: String) throws {
        #expect(try Self.decide(Self.policy("open"), address, 443).allowed)
    }

    @Test(arguments: Self.notDestinations)
    func whatIsNoDestination(text: String) {
        #expect(throws: DestinationError.self) { try Destination(parsing: text) }
    }

    @Test func thereAreEnoughCases() {
        let count =
            Self.cases.split(separator: "\n").count + Self.guarded.count + Self.open.count + Self.notDestinations.count
        #expect(count >= 150)
    }

    @Test func theNodesOwnEndpointsAreDeniedEvenWithoutAPolicy() throws {
        let own = ProtectedEndpoint(address: IPAddress("127.0.0.1"), port: 9000)
        let policy = Policy.unrestricted.protecting([own])
        for host in ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::"] {
            #expect(try Self.decide(policy, host, 9000).rule == .protectedEndpoint, "\(host)")
        }
        #expect(try Self.decide(policy, "127.0.0.1", 9001).allowed)
    }

    @Test func bindingNeedsAddressAndPort() throws {
        let policy = try PolicyFile.parse("[network]\nbind_ports = \"3000,8000-8010\"\n", file: "bind")
        let loopback = IPAddress(v4: (127, 0, 0, 1))
        #expect(policy.decideBind(address: loopback, port: 3000).allowed)
        #expect(policy.decideBind(address: loopback, port: 0).allowed)
        #expect(policy.decideBind(address: loopback, port: 8010).allowed)
        #expect(policy.decideBind(address: loopback, port: 8011).rule == .bindPort)
        #expect(policy.decideBind(address: IPAddress(v4: (0, 0, 0, 0)), port: 3000).rule == .bindAddress)
        #expect(Policy.default.decideBind(address: loopback, port: 3000).rule == .bindingIsOff)
        #expect(policy.bindPorts.count == 12)
    }

    /// Overlapping ranges too: each port once, whatever the count has for divisors.
    @Test(
        arguments: [
            ("", 0), ("7", 1), ("7,9", 2), ("7-9", 3), ("1-65535", 65_535), ("3000-3009,3005-3011,3000", 12),
            ("65535,1-2", 3),
        ])
    func aWalkComesByEveryPortOnce(text: String, count: Int) throws {
        let ports = try PortSet(text)
        for _ in 0..<20 {
            let walked = Array(PortWalk(ports))
            #expect(walked.count == count && Set(walked).count == count && walked.allSatisfy(ports.contains))
        }
        #expect(Array(PortWalk(only: 0)) == [0])
    }

    @Test func aWalkIsInNoOrderThatCanBeGuessed() throws {
        let ports = try PortSet("3000-3999")
        #expect(Set((0..<20).map { _ in Array(PortWalk(ports)) }).count > 15)
    }

    /// `bind` beside the admin port on another address would answer in its place.
    @Test func theNodesOwnPortsCannotBeBoundOnAnyAddress() throws {
        let own = [
            ProtectedEndpoint(address: IPAddress("127.0.0.1"), port: 9100), ProtectedEndpoint(address: nil, port: 9000),
            ProtectedEndpoint(address: IPAddress("10.0.0.7"), port: 6379),
        ]
        let open = try PolicyFile.parse(
            "[network]\nbind_ports = \"1-65535\"\nbind_addresses = [\"::1\", \"127.0.0.1\", \"::\"]\n", file: "bind")
        for policy in [open.protecting(own), Policy.unrestricted.protecting(own)] {
            for address in ["::1", "127.0.0.1", "::"].compactMap({ IPAddress($0) }) {
                for port: UInt16 in [9000, 9100, 6379] {
                    #expect(policy.decideBind(address: address, port: port).rule == .protectedEndpoint)
                }
                #expect(policy.decideBind(address: address, port: 9101).allowed)
            }
        }
    }
}
