public import WasmnetNet
public import WasmnetQuota

/// What clients may reach, bind and use: an immutable snapshot, cheap to copy, decided without I/O.
///
/// docs/policy.md describes how a destination is decided; ``PolicyDecision`` says which rule it was.
public struct Policy: Sendable {
    /// The lists as written, before they are indexed.
    public struct Rules: Sendable {
        /// What no client may reach. Default nothing.
        public var deny: [PolicyEntry] = []
        /// What may be reached. Default nothing.
        public var allow: [PolicyEntry] = []
        /// Ports that clients may bind. Default none.
        public var bindPorts = PortSet([])
        /// Local addresses that clients may bind. Default 127.0.0.1.
        public var bindAddresses: [IPAddress] = [IPAddress(v4: (127, 0, 0, 1))]
        /// Whether a client is sent the node's own address of each connection. Default false: only the port.
        public var showLocal = false
        /// How much one client may use.
        public var limits = ClientLimits()
        /// Limits by the name of a tier, for clients whose token names one.
        public var tiers: [String: ClientLimits] = [:]
        /// Who a client is.
        public var clients = ClientsPolicy()
        /// The modes while Redis is out of reach.
        public var outage = OutageModes()

        /// No rules: nothing may be reached.
        public init() {}
    }

    final class Storage: Sendable {
        let deny: EntryLists
        let allow: EntryLists
        let rules: Rules
        let isUnrestricted: Bool
        let place: Place
        /// Limits that were out of range as given.
        let problems: [String]

        init(_ rules: Rules, isUnrestricted: Bool, place: Place) {
            self.deny = EntryLists(rules.deny)
            self.allow = EntryLists(rules.allow)
            self.problems = rules.problems
            self.rules = rules.clamped
            self.isUnrestricted = isUnrestricted
            self.place = place
        }

        init(_ other: Storage, place: Place) {
            self.deny = other.deny
            self.allow = other.allow
            self.problems = other.problems
            self.rules = other.rules
            self.isUnrestricted = other.isUnrestricted
            self.place = place
        }
    }

    let storage: Storage
    /// The restrictions of one client's token: nil for the policy as it is in force.
    private(set) var terms: TokenRestrictions?
    /// Denied before all rules; nil: nothing.
    private(set) var denylist: DenylistView?

    /// Indexes the lists: names by their labels, networks by their prefixes. A limit out of its range is clamped to it
    /// (``ClientLimits``); creating a server with such a policy throws.
    public init(_ rules: Rules) {
        self.init(Storage(rules, isUnrestricted: false, place: Place()))
    }

    private init(_ storage: Storage) {
        self.storage = storage
    }

    /// The safe default: public addresses on every port, nothing bound, 50 sockets a client.
    public static var `default`: Policy {
        var rules = Rules()
        rules.allow = [.everything]
        return Policy(rules)
    }

    /// No policy: everything may be reached and bound, except the node's own endpoints, and nothing is limited.
    public static var unrestricted: Policy {
        var rules = Rules()
        rules.allow = [.everything]
        rules.bindPorts = PortSet([1...65_535])
        rules.limits.maxConnections = 0
        rules.limits.refusalsPerSecond = 0
        rules.limits.sessionsPerSecond = 0
        return Policy(Storage(rules, isUnrestricted: true, place: Place()))
    }

    /// How much a client without a tier may use; for a policy applied to one client, that client's limits.
    public var limits: ClientLimits { self.limits(tier: self.terms?.tier) }
    /// Who a client is, and who is admitted.
    public var clients: ClientsPolicy { self.storage.rules.clients }
    /// The mode of each limit while Redis is out of reach.
    public var outage: OutageModes { self.storage.rules.outage }
    /// Whether a client is sent the node's own address of each connection.
    package var showLocal: Bool { self.storage.rules.showLocal }
    package var bindPorts: PortSet { self.storage.rules.bindPorts }
    /// Denied in every case: the node's own addresses.
    public var protectedEndpoints: [ProtectedEndpoint] { self.storage.place.endpoints }
    /// What the policy knows of the machine that it is in force on.
    package var place: Place { self.storage.place }
    package var rules: Rules { self.storage.rules }
    /// Descriptions of the out-of-range limits that this policy was created from.
    package var problems: [String] { self.storage.problems }

    /// The limits of a tier; the default ones if it is nil or unknown.
    public func limits(tier: String?) -> ClientLimits {
        tier.flatMap { self.storage.rules.tiers[$0] } ?? self.storage.rules.limits
    }

    /// Whether a text can be a tier's name: 1 to 64 characters that TOML accepts without quotes.
    package static func isTierName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }
    /// For error messages.
    package static let tierNameRule = "a tier's name is 1 to 64 letters, digits, \"-\" and \"_\""

    /// Whether there is such a tier.
    package func hasTier(_ name: String) -> Bool { self.storage.rules.tiers[name] != nil }

    /// The same policy applied to one client: with its tier's limits, and only the destinations that its token names.
    package func applied(to terms: TokenRestrictions) -> Policy {
        var policy = self
        policy.terms = terms
        return policy
    }

    /// The same policy under a denylist, which takes precedence over all its rules.
    package func under(_ denylist: DenylistView?) -> Policy {
        var policy = self
        policy.denylist = denylist
        return policy
    }

    /// A policy that forbids only what a denylist does, on this policy's machine: with the same translators, but without its own rules.
    package func asking(only denylist: DenylistView) -> Policy {
        Policy.unrestricted.placed(in: self.place).under(denylist)
    }

    /// The same policy with these endpoints denied in every case.
    public func protecting(_ endpoints: [ProtectedEndpoint]) -> Policy {
        var place = self.storage.place
        place.endpoints = endpoints
        return self.placed(in: place)
    }

    /// The same policy, in force on this machine.
    package func placed(in place: Place) -> Policy {
        Policy(Storage(self.storage, place: place))
    }

    /// The same policy with another bandwidth for each client; 0 is unlimited.
    public func limitingBandwidth(megabitsPerSecond: Double) -> Policy {
        var rules = self.storage.rules
        rules.limits.maxBandwidthBitsPerSecond = megabitsPerSecond * 1_000_000
        for tier in rules.tiers.keys { rules.tiers[tier]?.maxBandwidthBitsPerSecond = megabitsPerSecond * 1_000_000 }
        return Policy(Storage(rules, isUnrestricted: self.storage.isUnrestricted, place: self.storage.place))
    }
}

extension PolicyEntry {
    static let everything: PolicyEntry = .init(subject: .everything, ports: nil, text: "*")

    init(subject: Subject, ports: ClosedRange<UInt16>?, text: String) {
        self.transport = nil
        self.subject = subject
        self.ports = ports
        self.text = text
    }
}
