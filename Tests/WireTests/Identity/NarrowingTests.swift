import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota

/// The effect of a token's destinations and tier on a policy: they only restrict.
@Suite struct NarrowingTests {
    private func policy(_ allow: [String], base: Policy = .default) throws -> Policy {
        base.applied(to: TokenRestrictions(allow: try allow.map { try PolicyEntry($0) }))
    }

    private func isAllowed(_ policy: Policy, _ address: String, _ port: UInt16, name: String? = nil) throws -> Bool {
        let name = try name.map { try HostName(parsing: $0) }
        if let name, !policy.decide(name: name, port: port, transport: .tcp).allowed { return false }
        let address = try #require(IPAddress(address))
        return policy.decide(address: address, port: port, name: name, transport: .tcp).allowed
    }

    /// allow, address, port, name, whether it is let through
    static let rows: [([String], String, UInt16, String?, Bool)] = [
        (["*"], "93.184.216.34", 443, nil, true), (["*:443"], "93.184.216.34", 443, nil, true),
        (["*:443"], "93.184.216.34", 80, nil, false), ([], "93.184.216.34", 443, nil, false),
        (["93.184.216.0/24"], "93.184.216.34", 443, nil, true), (["93.184.217.0/24"], "93.184.216.34", 443, nil, false),
        (["93.184.216.34:443"], "93.184.216.34", 443, nil, true),
        (["93.184.216.34:443"], "93.184.216.34", 444, nil, false),
        (["93.184.216.34"], "::ffff:93.184.216.34", 443, nil, true),
        (["93.184.216.34"], "64:ff9b::5db8:d822", 443, nil, false),
        (["db.example"], "93.184.216.34", 5432, "db.example", true),
        (["db.example"], "93.184.216.34", 5432, "x.db.example", false),
        (["db.example:5432"], "93.184.216.34", 5433, "db.example", false),
        (["*.db.example"], "93.184.216.34", 1, "x.db.example", true), (["db.example"], "93.184.216.34", 1, nil, false),
        // It allows nothing that the policy denies.
        (["10.0.0.0/8"], "10.1.2.3", 443, nil, false), (["*"], "127.0.0.1", 80, nil, false),
        (["internal.example"], "10.0.0.1", 80, "internal.example", false),
        // A name may resolve to an address that is allowed.
        (["93.184.216.34"], "93.184.216.34", 443, "any.example", true),
        (["93.184.216.34"], "93.184.216.35", 443, "any.example", false),
    ]

    @Test(arguments: Self.rows.indices) func destinations(index: Int) throws {
        let (allow, address, port, name, expected) = Self.rows[index]
        #expect(try self.isAllowed(self.policy(allow), address, port, name: name) == expected, "\(Self.rows[index])")
    }

    @Test func withoutAPolicyItHoldsAsWell() throws {
        let policy = try self.policy(["127.0.0.1:80"], base: .unrestricted)
        #expect(try self.isAllowed(policy, "127.0.0.1", 80))
        #expect(try !self.isAllowed(policy, "127.0.0.1", 81))
        #expect(try !self.isAllowed(policy, "93.184.216.34", 80))
    }

    /// A client restricted to some destinations cannot send data out through name lookups.
    @Test func namesThatLeadNowhereAreNotLookedUp() throws {
        let (db, secret) = (try HostName(parsing: "db.example"), try HostName(parsing: "secret.evil.example"))
        let names = try self.policy(["db.example:5432"])
        #expect(names.decideLookup(name: db).allowed)
        #expect(!names.decideLookup(name: secret).allowed)
        #expect(!names.decide(name: secret, port: 5432, transport: .tcp).allowed)
        #expect(!names.decide(name: db, port: 80, transport: .tcp).allowed)
        #expect(try self.policy(["203.0.113.0/24:443"]).decideLookup(name: secret).allowed)
        #expect(try !self.policy(["203.0.113.0/24:443"]).decide(name: secret, port: 80, transport: .tcp).allowed)
        #expect(try !self.policy([]).decideLookup(name: db).allowed)
        #expect(Policy.default.decideLookup(name: secret).allowed)
    }

    @Test func resolvedAddressesAreNarrowedToo() throws {
        let policy = try self.policy(["93.184.216.34:443"])
        #expect(policy.decideResolved(address: IPAddress(v4: (93, 184, 216, 34)), name: nil).allowed)
        #expect(!policy.decideResolved(address: IPAddress(v4: (93, 184, 216, 35)), name: nil).allowed)
    }

    @Test func bindingNeedsAnEntryOfItsOwn() throws {
        let local = IPAddress(v4: (127, 0, 0, 1))
        func canBind(_ allow: [String], _ port: UInt16, _ transport: TransportProtocol = .tcp) throws -> Bool {
            try self.policy(allow, base: .unrestricted)
                .decideBind(address: local, port: port, transport: transport).allowed
        }
        #expect(try canBind(["*"], 3000))
        #expect(try canBind(["*"], 0))
        #expect(try canBind(["127.0.0.1"], 0))
        #expect(try canBind(["127.0.0.1:3000-3005"], 3000))
        #expect(try !canBind(["127.0.0.1:3000-3005"], 3006))
        #expect(try !canBind(["127.0.0.1:3000-3005"], 0))
        #expect(try !canBind(["db.example"], 3000))
        #expect(try !canBind([], 3000))
        #expect(try canBind(["udp/127.0.0.1:3000"], 3000, .udp))
        #expect(try !canBind(["udp/127.0.0.1:3000"], 3000, .tcp))
        #expect(try canBind(["tcp/*"], 0, .tcp))
        #expect(try !canBind(["tcp/*"], 0, .udp))
        // Nor does it allow what the policy denies.
        #expect(try !self.policy(["*"]).decideBind(address: local, port: 3000, transport: .tcp).allowed)
    }

    /// allow, name, address, whether by TCP, whether by UDP
    static let transportRows: [([String], String?, String, Bool, Bool)] = [
        (["udp/*:53"], nil, "93.184.216.34", false, true), (["tcp/*", "udp/*:53"], nil, "93.184.216.34", true, true),
        (["tcp/93.184.216.0/24"], nil, "93.184.216.34", true, false),
        (["udp/ns.example"], "ns.example", "93.184.216.34", false, true),
        (["tcp/*.example"], "ns.example", "93.184.216.34", true, false),
        (["tcp/*", "udp/93.184.216.34"], "ns.example", "93.184.216.34", true, true),
        (["udp/10.0.0.0/8"], nil, "10.0.0.1", false, false),
    ]

    @Test(arguments: Self.transportRows.indices) func eachTransportHasItsDestinations(index: Int) throws {
        let (allow, text, literal, tcp, udp) = Self.transportRows[index]
        let policy = try self.policy(allow)
        let name = try text.map { try HostName(parsing: $0) }
        let address = try #require(IPAddress(literal))
        for (transport, expected) in [(TransportProtocol.tcp, tcp), (.udp, udp)] {
            let isNamed = name.map { policy.decide(name: $0, port: 53, transport: transport).allowed } != false
            let decision = policy.decide(address: address, port: 53, name: name, transport: transport)
            #expect((isNamed && decision.allowed) == expected, "\(allow) \(transport): \(decision.reason)")
        }
        #expect(policy.decideResolved(address: address, name: name).allowed == (tcp || udp))
        #expect(name.map { policy.decideLookup(name: $0).allowed == (tcp || udp) } != false)
    }

    @Test func aTiersLimitsLieOverThePolicys() throws {
        var rules = Policy.Rules()
        rules.limits.maxConnections = 5
        rules.tiers["pro"] = rules.limits
        rules.tiers["pro"]?.maxConnections = 500
        let policy = Policy(rules)
        #expect(policy.applied(to: TokenRestrictions(tier: "pro")).limits.maxConnections == 500)
        #expect(policy.applied(to: TokenRestrictions(tier: "gone")).limits.maxConnections == 5)
        #expect(policy.applied(to: TokenRestrictions()).limits.maxConnections == 5)
        #expect(policy.applied(to: TokenRestrictions(tier: "pro")).limits(tier: "gone").maxConnections == 5)
        #expect(policy.hasTier("pro") && !policy.hasTier("gone"))
        let limited = policy.limitingBandwidth(megabitsPerSecond: 3)
        #expect(limited.limits(tier: "pro").maxBandwidthBitsPerSecond == 3_000_000)
    }
}
