import Testing
import WasmnetNet
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
        "v4only": "allow = [\"8.8.8.8\"]",
        "mapped-deny": "deny = [\"::ffff:10.0.0.0/104\"]\nallow = [\"*\", \"10.0.0.0/8\", \"192.168.0.0/16\"]",
        "mapped-allow": "allow = [\"::ffff:10.0.0.0/104\", \"[::ffff:192.168.0.1]:80\"]",
        "6to4": "allow = [\"*\", \"2002::/16\"]",
        "6to4-private": "allow = [\"2002::/16\", \"10.0.0.0/8\"]",
        "teredo": "allow = [\"*\", \"2001::/32\"]",
        "local-nat64": "allow = [\"*\", \"64:ff9b:1::/48\"]",
        "nat64": "deny = [\"*\"]\nallow = [\"64:ff9b::/96\"]",
        "no-nat64": "deny = [\"64:ff9b::/96\"]\nallow = [\"*\"]",
        "wide": "allow = [\"0.0.0.0/0\", \"::/0\"]",
        "metadata": "allow = [\"*\", \"168.63.129.16:80\", \"meta.example\", \"*.wild.example\"]",
        "v6port": "deny = [\"[2606:4700::1111]:443\", \"[2a00::/16]:22\"]\nallow = [\"*\"]",
    ]

    /// Destinations denied by the built-in guard under every policy that does not allow them.
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
        // An unknown tunnel or translator is not open because its other end is public.
        "2002:808:808::1", "2001:0:808:808::f7f7:f7f7", "::ffff:0:8.8.8.8", "::8.8.8.8", "64:ff9b:1::8.8.8.8",
        // ISATAP, in any network; its identifier may say "unique" or not.
        "2a00:1::5efe:10.0.0.1", "2a00:1::200:5efe:127.0.0.1", "2a00:1::5efe:a9fe:a9fe", "fe80::5efe:8.8.8.8",
        // Cloud metadata, in private ranges and outside of them.
        "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::168.63.129.16", "100.100.100.200", "192.0.0.192",
        "169.254.170.2", "fd00:ec2::254", "fd20:ce::254", "fd00:c1::a9fe:a9fe",
        "192.0.0.9", "192.88.99.2", "100:0:0:1::1", "2002::1", "2001::1",
    ]

    static let open = [
        "8.8.8.8", "1.1.1.1", "93.184.216.34", "11.0.0.1", "9.255.255.255", "100.63.255.255", "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.1", "192.167.255.255", "192.169.0.1",
        "198.17.255.255",
        "198.20.0.1", "223.255.255.255", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8", "[2606:4700::1111]", "2001:4860:4860::8888", "192.88.98.255",
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
        v4only | 8.8.8.8 | 443 | yes
        v4only | ::ffff:8.8.8.8 | 443 | yes
        v4only | 64:ff9b::8.8.8.8 | 443 | yes
        v4only | 64:ff9b:1::8.8.8.8 | 443 | no
        v4only | 2002:808:808::1 | 443 | no
        v4only | 2001:0:808:808::f7f7:f7f7 | 443 | no
        v4only | ::8.8.8.8 | 443 | no
        v4only | ::ffff:0:8.8.8.8 | 443 | no
        v4only | 2a00:1::5efe:808:808 | 443 | no
        open | 2a00:1::5efe:808:808 | 443 | yes
        open | 2a00:1::5efe:a00:1 | 443 | no
        mapped-deny | 10.1.2.3 | 1 | no
        mapped-deny | ::ffff:10.1.2.3 | 1 | no
        mapped-deny | 64:ff9b::10.1.2.3 | 1 | no
        mapped-deny | name.example>::ffff:10.1.2.3 | 1 | no
        mapped-deny | 192.168.0.1 | 1 | yes
        mapped-allow | 10.1.2.3 | 1 | yes
        mapped-allow | ::ffff:10.1.2.3 | 1 | yes
        mapped-allow | 192.168.0.1 | 80 | yes
        mapped-allow | 192.168.0.1 | 81 | no
        mapped-allow | 8.8.8.8 | 1 | no
        6to4 | 2002:808:808::1 | 1 | yes
        6to4 | 2002:a00:1::1 | 1 | no
        6to4 | 2002:a83f:8110::1 | 1 | no
        6to4-private | 2002:a00:1::1 | 1 | yes
        6to4-private | 2002:808:808::1 | 1 | no
        6to4-private | 2002:a00:1::5efe:808:808 | 1 | no
        teredo | 2001:0:808:808::f7f7:f7f7 | 1 | yes
        teredo | 2001:0:a00:1::f7f7:f7f7 | 1 | no
        teredo | 2001:0:808:808::f5ff:fffe | 1 | no
        local-nat64 | 64:ff9b:1::8.8.8.8 | 1 | yes
        local-nat64 | 64:ff9b:1::10.0.0.1 | 1 | no
        nat64 | 64:ff9b::8.8.8.8 | 1 | yes
        nat64 | 64:ff9b::10.0.0.1 | 1 | no
        nat64 | 8.8.8.8 | 1 | no
        no-nat64 | 64:ff9b::8.8.8.8 | 1 | no
        no-nat64 | 8.8.8.8 | 1 | yes
        wide | 10.0.0.1 | 1 | yes
        wide | fd00::1 | 1 | yes
        wide | 169.254.169.254 | 80 | no
        wide | ::ffff:169.254.169.254 | 80 | no
        wide | 2002:a9fe:a9fe:: | 80 | no
        wide | fd00:ec2::254 | 80 | no
        wide | fd00:c1::a9fe:a9fe | 80 | no
        wide | fd00:c1::a9fe:a9fd | 80 | yes
        metadata | 168.63.129.16 | 80 | yes
        metadata | 168.63.129.16 | 81 | no
        metadata | meta.example>169.254.169.254 | 80 | yes
        metadata | a.wild.example>168.63.129.16 | 81 | no
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

    /// One local address represents all; an address elsewhere is that address only; a name is denied whatever it resolves to.
    @Test func theNodesOwnEndpointsAreDeniedOnEveryLocalAddress() throws {
        let redis = try HostName(parsing: "redis.internal")
        var place = Place()
        let machine: Set<IPAddress> = [try #require(IPAddress("10.0.0.7")), try #require(IPAddress("fd00::7"))]
        place.isLocal = {
            machine.contains($0) || $0.isLoopback || $0.description == "0.0.0.0" || $0.description == "::"
        }
        place.endpoints = [
            ProtectedEndpoint(address: nil, port: 9000), ProtectedEndpoint(address: IPAddress("10.0.0.7"), port: 6379),
            ProtectedEndpoint(address: IPAddress("10.0.0.9"), port: 6380), ProtectedEndpoint(name: redis, port: 6381),
        ]
        let policy = Policy.unrestricted.placed(in: place)
        let local = [
            "127.0.0.1", "127.9.9.9", "::1", "10.0.0.7", "fd00::7", "::ffff:10.0.0.7", "0.0.0.0", "::",
            "::ffff:127.0.0.2",
            "64:ff9b::127.0.0.1", "2002:7f00:1::", "::127.0.0.1",
        ]
        for host in local {
            for port: UInt16 in [9000, 6379] {
                #expect(try Self.decide(policy, host, port).rule == .protectedEndpoint, "\(host) \(port)")
            }
            // Redis is on another machine: a local listener on its port is not Redis.
            #expect(try Self.decide(policy, host, 6380).allowed)
        }
        #expect(try Self.decide(policy, "10.0.0.9", 6380).rule == .protectedEndpoint)
        #expect(try Self.decide(policy, "10.0.0.9", 9000).allowed)
        #expect(try Self.decide(policy, "redis.internal>10.0.0.8", 6381).rule == .protectedEndpoint)
        #expect(try Self.decide(policy, "redis.internal>10.0.0.8", 6382).allowed)
        #expect(try Self.decide(policy, "127.0.0.1", 6381).allowed)
    }

    /// RFC 7050 and the six lengths of RFC 6052, section 2.4.
    @Test func announcedTranslatorsGoByTheAddressInside() throws {
        let answers =
            [
                "2001:db8:c000:aa::", "2001:db8:1c0:0:aa::", "2001:db8:122:c000:0:aa00::", "2001:db8:122:3c0:0:aa::",
                "2001:db8:122:344:c0:0:aa00:0", "2001:db8:122:344::192.0.0.171", "64:ff9b::192.0.0.170", "2a00::1",
                "fe80::192.0.0.170", "ff02::192.0.0.170", "::192.0.0.170",
            ].compactMap { IPAddress($0) } + [IPAddress(v4: (192, 0, 0, 170))]
        let found = NAT64Prefix.proxiedAddress(by: answers)
        #expect(
            found.map(\.description) == [
                "2001:db8::/32", "2001:db8:100::/40", "2001:db8:122::/48", "2001:db8:122:300::/56",
                "2001:db8:122:344::/64", "2001:db8:122:344::/96",
            ])
        var place = Place()
        place.translators = NAT64Prefix.proxiedAddress(by: [try #require(IPAddress("2a00:64::192.0.0.170"))])
        let open = try Self.policy("open").placed(in: place)
        #expect(try Self.decide(open, "2a00:64::8.8.8.8", 443).allowed)
        for inside in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "168.63.129.16"] {
            #expect(try !Self.decide(open, "2a00:64::\(inside)", 443).allowed, "\(inside)")
        }
        // Outside of the prefix it is an address like others.
        #expect(try Self.decide(open, "2a00:64::1:0:10.0.0.1", 443).allowed)
        let listed = try Self.policy("v4only").placed(in: place)
        #expect(try Self.decide(listed, "2a00:64::8.8.8.8", 443).allowed)
        #expect(try !Self.decide(listed, "2a00:64::8.8.4.4", 443).allowed)
        // Bits after the address inside are not a translator's: the address itself must be allowed as well.
        let wide = try #require(try PolicyEntry("2a00:64::/64").network)
        place.translators = [NAT64Prefix(wide)].compactMap { $0 }
        let wider = try Self.policy("v4only").placed(in: place)
        #expect(try Self.decide(wider, "2a00:64::8:808:800:0", 443).allowed)
        #expect(try !Self.decide(wider, "2a00:64::8:808:800:1", 443).allowed)
        let now = UnixTime(milliseconds: 0)
        let denied = open.under(DenylistView(Denylist([try DenylistEntry("8.8.8.8")]), at: now))
        #expect(try !Self.decide(denied, "2a00:64::8.8.8.8", 443).allowed)
    }

    /// A client must not learn whether a name exists that it could not reach anyway: it is decided before a lookup.
    @Test func namesThatNothingAllowsAreDeniedBeforeTheyAreLookedUp() throws {
        let name = try HostName(parsing: "db.corp.example")
        let suffix = "deny = [\"*.corp.example\"]\nallow = [\"*\"]"
        for (rules, connect, resolve) in [
            (suffix, false, false), ("deny = [\"db.corp.example:443\"]\nallow = [\"*\"]", false, true),
            ("deny = [\"*:443\"]\nallow = [\"*\"]", false, true), ("deny = [\"*\"]\nallow = [\"*\"]", false, false),
            ("allow = [\"api.example\"]", false, false), ("", false, false), ("allow = [\"*:80\"]", false, true),
            ("allow = [\"*.corp.example:80\"]", false, true), ("allow = [\"10.0.0.0/8:80\"]", false, true),
            ("allow = [\"10.0.0.0/8\"]", true, true), ("deny = [\"*\"]\nallow = [\"10.0.0.0/8:443\"]", true, true),
            ("allow = [\"*\"]", true, true), ("allow = [\"*.example\"]", true, true),
        ] {
            let policy = try PolicyFile.parse("[network]\n\(rules)\n", file: "names")
            #expect(policy.decide(name: name, port: 443, transport: .tcp).allowed == connect, "\(rules)")
            #expect(policy.decideLookup(name: name).allowed == resolve, "\(rules)")
        }
    }

    @Test func oneLabelIsAskedOfDNSOnlyWhereItIsWrittenOut() throws {
        let policy = try PolicyFile.parse(
            "[network]\nallow = [\"*\", \"db:5432\", \"*.cache\", \"a.b\"]\n", file: "names")
        for (name, asked) in [
            ("db", true), ("DB.", true), ("cache", false), ("web", false), ("a.b", true), ("x.web", true),
        ] {
            #expect(policy.mayAskDNS(for: try HostName(parsing: name)) == asked, "\(name)")
            #expect(Policy.unrestricted.mayAskDNS(for: try HostName(parsing: name)))
        }
    }

    @Test func bindingNeedsAddressAndPort() throws {
        let policy = try PolicyFile.parse("[network]\nbind_ports = \"3000,8000-8010\"\n", file: "bind")
        let loopback = IPAddress(v4: (127, 0, 0, 1))
        #expect(policy.decideBind(address: loopback, port: 3000, transport: .tcp).allowed)
        #expect(policy.decideBind(address: loopback, port: 0, transport: .udp).allowed)
        #expect(policy.decideBind(address: loopback, port: 8010, transport: .udp).allowed)
        #expect(policy.decideBind(address: loopback, port: 8011, transport: .tcp).rule == .bindPort)
        #expect(
            policy.decideBind(address: IPAddress(v4: (0, 0, 0, 0)), port: 3000, transport: .tcp).rule == .bindAddress)
        #expect(Policy.default.decideBind(address: loopback, port: 3000, transport: .tcp).rule == .bindingIsOff)
        #expect(policy.bindPorts.count == 12)
    }

    /// Overlapping ranges too: each port once, for any divisors of the count.
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
                    #expect(policy.decideBind(address: address, port: port, transport: .udp).rule == .protectedEndpoint)
                }
                #expect(policy.decideBind(address: address, port: 9101, transport: .udp).allowed)
            }
        }
    }
}
