/// What clients may reach, bind and use: an immutable snapshot, cheap to copy, decided without I/O.
///
/// How a destination is decided is told in the README's section on the policy; ``PolicyDecision`` says which rule it was.
public struct Policy: Sendable {
    /// The lists as written, before they are made ready.
    public struct Rules: Sendable {
        /// What nobody may reach. Default nothing.
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
        /// What holds while Redis is out of reach.
        public var outage = OutageModes()

        /// No rules: nothing may be reached.
        public init() {}
    }

    private final class Storage: Sendable {
        let deny: EntryList
        let allow: EntryList
        let rules: Rules
        let isUnrestricted: Bool
        let protected: [ProtectedEndpoint]
        /// What was out of its range in the limits as given.
        let problems: [String]

        init(_ rules: Rules, isUnrestricted: Bool, protected: [ProtectedEndpoint]) {
            self.deny = EntryList(rules.deny)
            self.allow = EntryList(rules.allow)
            self.problems = rules.problems
            self.rules = rules.clamped
            self.isUnrestricted = isUnrestricted
            self.protected = protected
        }
    }

    private let storage: Storage
    /// What one client's token adds: nil for the policy as it is in force.
    private var terms: ClientTerms?
    /// What is denied above all rules; nil: nothing.
    private var denylist: DenylistView?

    /// Makes the lists ready: names by their labels, networks by their prefixes. A limit out of its range becomes the nearest in it
    /// (``ClientLimits``); a server that is made with such a policy throws.
    public init(_ rules: Rules) {
        self.init(Storage(rules, isUnrestricted: false, protected: []))
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

    /// No policy: everything may be reached and bound, the node's own endpoints aside, and nothing is limited.
    public static var unrestricted: Policy {
        var rules = Rules()
        rules.allow = [.everything]
        rules.bindPorts = PortSet([1...65_535])
        rules.limits.maxConnections = 0
        rules.limits.refusalsPerSecond = 0
        return Policy(Storage(rules, isUnrestricted: true, protected: []))
    }

    /// How much a client without a tier may use; for a policy that was made for one client, that client's.
    public var limits: ClientLimits { self.limits(tier: self.terms?.tier) }
    /// Who a client is, and who may come.
    public var clients: ClientsPolicy { self.storage.rules.clients }
    /// What holds for each limit while Redis is out of reach.
    public var outage: OutageModes { self.storage.rules.outage }
    /// Whether a client is sent the node's own address of each connection.
    package var showLocal: Bool { self.storage.rules.showLocal }
    package var bindPorts: PortSet { self.storage.rules.bindPorts }
    /// What is denied in every case: the node's own addresses.
    public var protectedEndpoints: [ProtectedEndpoint] { self.storage.protected }
    package var rules: Rules { self.storage.rules }
    /// What was out of its range in the limits that this policy was made from, in words.
    package var problems: [String] { self.storage.problems }

    /// The limits of a tier; the default ones where it is nil or unknown.
    public func limits(tier: String?) -> ClientLimits {
        tier.flatMap { self.storage.rules.tiers[$0] } ?? self.storage.rules.limits
    }

    /// Whether a text can be a tier's name: 1 to 64 characters that TOML takes without quotes.
    package static func isTierName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }
    /// For complaints.
    package static let tierNameRule = "a tier's name is 1 to 64 letters, digits, \"-\" and \"_\""

    /// Whether there is such a tier.
    package func hasTier(_ name: String) -> Bool { self.storage.rules.tiers[name] != nil }

    /// The same policy as it holds for one client: its tier's limits, and nothing beyond the destinations that its token names.
    package func applied(to terms: ClientTerms) -> Policy {
        var policy = self
        policy.terms = terms
        return policy
    }

    /// The same policy under a denylist, which stands above all its rules.
    package func under(_ denylist: DenylistView?) -> Policy {
        var policy = self
        policy.denylist = denylist
        return policy
    }

    /// The same policy with these endpoints denied in every case.
    public func protecting(_ endpoints: [ProtectedEndpoint]) -> Policy {
        var unique: [ProtectedEndpoint] = []
        for endpoint in endpoints where !unique.contains(endpoint) { unique.append(endpoint) }
        return Policy(Storage(self.storage.rules, isUnrestricted: self.storage.isUnrestricted, protected: unique))
    }

    /// The same policy with another bandwidth for each client; 0 is unlimited.
    public func limitingBandwidth(megabitsPerSecond: Double) -> Policy {
        var rules = self.storage.rules
        rules.limits.maxBandwidthBitsPerSecond = megabitsPerSecond * 1_000_000
        for tier in rules.tiers.keys { rules.tiers[tier]?.maxBandwidthBitsPerSecond = megabitsPerSecond * 1_000_000 }
        return Policy(Storage(rules, isUnrestricted: self.storage.isUnrestricted, protected: self.storage.protected))
    }
}

extension PolicyEntry {
    static let everything: PolicyEntry = .init(subject: .everything, ports: nil, text: "*")

    init(subject: Subject, ports: ClosedRange<UInt16>?, text: String) {
        self.subject = subject
        self.ports = ports
        self.text = text
    }
}

extension Policy {
    // MARK: Deciding

    /// Step 1, before DNS: an explicit deny of the name ends it; everything else is left to its addresses.
    package func decide(name: HostName, port: UInt16, transport: TransportProtocol) -> PolicyDecision {
        let subject = "\(name.text):\(port)"
        if let entry = self.denylist?.entry(for: name, nil, port: port) {
            return PolicyDecision(.denylisted(entry), subject)
        }
        if let narrowing = self.terms?.narrowing, !narrowing.mayLead(name, port: port) {
            return PolicyDecision(.beyondToken, subject)
        }
        guard !self.storage.isUnrestricted else { return PolicyDecision(.noPolicy, subject) }
        if let entry = self.nameEntry(self.storage.deny, name, port) {
            return PolicyDecision(.deniedBy(entry), subject)
        }
        return PolicyDecision(.undecided, subject)
    }

    /// Whether a name may be looked up at all: a client that is held to some destinations asks no name server about others.
    package func decideLookup(name: HostName) -> PolicyDecision {
        if let entry = self.denylist?.entry(for: name, nil, port: nil) {
            return PolicyDecision(.denylisted(entry), name.text)
        }
        guard let narrowing = self.terms?.narrowing, !narrowing.mayLead(name, port: nil) else {
            return PolicyDecision(.undecided, name.text)
        }
        return PolicyDecision(.beyondToken, name.text)
    }

    /// Steps 2 to 6, for each address a name has, or a literal.
    ///
    /// - Parameter name: the name it was resolved from, or is tied to.
    package func decide(
        address: IPAddress, port: UInt16, name: HostName?, transport: TransportProtocol
    ) -> PolicyDecision {
        self.decide(address, port, name)
    }

    /// Whether a client could reach the address on any port at all.
    package func decideResolved(address: IPAddress, name: HostName?) -> PolicyDecision {
        self.decide(address, nil, name)
    }

    private func decide(_ address: IPAddress, _ port: UInt16?, _ name: HostName?) -> PolicyDecision {
        if let entry = self.denylist?.entry(for: name, address, port: port) {
            return PolicyDecision(.denylisted(entry), Self.subject(address, port))
        }
        let decision = self.decideForAll(address, port, name)
        guard decision.allowed, let narrowing = self.terms?.narrowing,
            !narrowing.covers(address, port: port, name: name)
        else { return decision }
        return PolicyDecision(.beyondToken, decision.subject)
    }

    private func decideForAll(_ address: IPAddress, _ port: UInt16?, _ name: HostName?) -> PolicyDecision {
        let deny = self.storage.deny
        let allow = self.storage.allow
        let forms = [address] + address.embedded
        func decision(_ rule: PolicyDecision.Rule) -> PolicyDecision {
            PolicyDecision(rule, Self.subject(address, port))
        }
        if let port, self.isProtected(forms, port) { return decision(.protectedEndpoint) }
        guard !self.storage.isUnrestricted else { return decision(.noPolicy) }
        if let name, let entry = self.nameEntry(deny, name, port, wholly: true) { return decision(.deniedBy(entry)) }
        for form in forms {
            let entry = deny.networks.first(for: form) { $0.covers(port, wholly: true) }
            if let entry { return decision(.deniedBy(entry)) }
        }
        if let entry = deny.everything.first(where: { $0.ports != nil && $0.covers(port, wholly: true) }) {
            return decision(.deniedBy(entry))
        }
        let exactName = name.flatMap { allow.names.firstExact($0) { $0.covers(port, wholly: false) } }
        var network: PolicyEntry?
        for form in forms {
            let entry = allow.networks.first(for: form) { $0.covers(port, wholly: false) }
            network = network ?? entry
            // The guard holds for every form by itself, unless the whole address or that form is written out.
            if exactName == nil, entry == nil, let range = SpecialRanges.name(of: form) {
                let outer =
                    form == address ? nil : allow.networks.first(for: address) { $0.covers(port, wholly: false) }
                let inner = form == address && forms.count > 1 && self.isTransparent(address)
                if outer == nil, !inner { return decision(.builtInGuard(range)) }
            }
        }
        if let entry = exactName ?? network { return decision(.allowedBy(entry)) }
        let wildcard = name.flatMap { allow.names.firstWildcard($0) { $0.covers(port, wholly: false) } }
        if let entry = wildcard { return decision(.allowedBy(entry)) }
        if deny.everything.contains(where: { $0.ports == nil }) { return decision(.denyByDefault) }
        if let entry = allow.everything.first(where: { $0.covers(port, wholly: false) }) {
            return decision(.allowedBy(entry))
        }
        return decision(.notInAllow)
    }

    /// Whether a connection may come in from an address: the denylist alone speaks about those.
    package func decideAccepted(from address: IPAddress) -> PolicyDecision {
        let entry = self.denylist?.entry(for: nil, address, port: nil)
        return PolicyDecision(entry.map { .denylisted($0) } ?? .acceptable, "\(address)")
    }

    private static func subject(_ address: IPAddress, _ port: UInt16?) -> String {
        guard let port else { return "\(address)" }
        return address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }

    /// Whether an IPv6 address is only another way to write the IPv4 one inside it.
    private func isTransparent(_ address: IPAddress) -> Bool { address.isMapped }

    private func nameEntry(
        _ list: EntryList, _ name: HostName, _ port: UInt16?, wholly: Bool = true
    ) -> PolicyEntry? {
        list.names.firstExact(name) { $0.covers(port, wholly: wholly) }
            ?? list.names.firstWildcard(name) { $0.covers(port, wholly: wholly) }
    }

    private func isProtected(_ forms: [IPAddress], _ port: UInt16) -> Bool {
        self.storage.protected.contains { endpoint in
            guard endpoint.port == port else { return false }
            return forms.contains { form in
                if form == endpoint.address || form.isUnspecified { return true }
                return endpoint.address == nil && form.isLoopback
            }
        }
    }

    /// Whether a client may bind an address and port; port 0 asks for any port that may be bound.
    package func decideBind(address: IPAddress, port: UInt16) -> PolicyDecision {
        let subject = Self.subject(address, port)
        // On no address at all: a name such as localhost may lead to another one than the node's own.
        if self.storage.protected.contains(where: { $0.port == port }) {
            return PolicyDecision(.protectedEndpoint, subject)
        }
        if let narrowing = self.terms?.narrowing, !narrowing.coversBinding(address, port: port) {
            return PolicyDecision(.beyondToken, subject)
        }
        guard !self.storage.isUnrestricted else { return PolicyDecision(.noPolicy, subject) }
        let rules = self.storage.rules
        guard !rules.bindPorts.isEmpty else { return PolicyDecision(.bindingIsOff, subject) }
        guard rules.bindAddresses.contains(address) else { return PolicyDecision(.bindAddress, subject) }
        guard port == 0 || rules.bindPorts.contains(port) else { return PolicyDecision(.bindPort, subject) }
        return PolicyDecision(.bindable, subject)
    }
}

/// What carries the bytes.
public enum TransportProtocol: String, Sendable, CaseIterable {
    case tcp
    case udp
}

extension IPAddress {
    var isUnspecified: Bool { self.high == 0 && self.low == 0 }
    /// ::ffff:a.b.c.d
    var isMapped: Bool { !self.isIPv4 && self.high == 0 && self.low >> 32 == 0xFFFF }
    package var isLoopback: Bool { self.isIPv4 ? self.low >> 24 == 127 : self.high == 0 && self.low == 1 }
}
