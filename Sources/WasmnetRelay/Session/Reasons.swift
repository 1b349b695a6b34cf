import WasmnetPolicy
import WasmnetProtocol
import WasmnetText

extension ReasonCode {
    /// In words what happened to a socket that leads to `host`, for `closed` messages.
    func sentence(_ host: String) -> String {
        switch self {
        case .normal: ""
        case .clientClosed: "closed by the client"
        case .targetReset: "\(host) broke the connection off"
        case .targetTimeout: "no byte for too long"
        default: self.word
        }
    }
}

extension PolicyDecision {
    /// What a refusal or an end by this decision is called.
    var code: ReasonCode {
        if case .denylisted = self.rule { .denylisted } else { .policyDenied }
    }
}

extension PolicyDecision {
    /// For the client, who named `host`: what a name leads to, and by which entry that is denied, is not for it to learn, for the name may be of
    /// a network that it does not see.
    func words(host: String, port: UInt16) -> String {
        guard case .success(.name(let name)) = Result(catching: { try Destination(parsing: host) }),
            !ByteText(self.subject).starts(with: ByteText(name.text))
        else { return self.reason }
        let place = port == 0 ? name.text : "\(name.text):\(port)"
        switch self.rule {
        case .denylisted: return "\(place) leads to what is on the denylist"
        case .beyondToken: return "\(place) leads to what is not among the destinations of the client's token"
        default: return "\(place) leads to no address that the policy allows"
        }
    }
}

extension Refusal {
    init(_ decision: PolicyDecision) {
        self.init(decision.code, decision.reason)
    }

    /// As the client may learn it, and with ``detail`` for the log.
    ///
    /// - Parameter host: what the client named.
    init(_ decision: PolicyDecision, host: String, port: UInt16) {
        self.init(decision.code, decision.words(host: host, port: port))
        self.detail = decision.reason
    }
}

extension SocketTarget {
    /// The decision by which a policy forbids the target, as far as it is known by now; nil where it does not.
    func forbidden(by policy: Policy) -> PolicyDecision? {
        if let decision = self.nameForbidden(by: policy) { return decision }
        return self.address.flatMap { self.forbidden($0, by: policy) }
    }

    /// The decision by which a policy forbids the name before its addresses are known; nil where it does not.
    func nameForbidden(by policy: Policy) -> PolicyDecision? {
        guard let name = self.name else { return nil }
        let decision =
            self.port == 0
            ? policy.decideLookup(name: name) : policy.decide(name: name, port: self.port, transport: self.transport)
        return decision.allowed ? nil : decision
    }

    /// The decision by which a policy forbids one of its addresses; nil where it does not. Of several names that share the address one
    /// that is denied denies it; else one that is allowed is enough.
    func forbidden(_ address: IPAddress, by policy: Policy) -> PolicyDecision? {
        guard self.name == nil, !self.ties.isEmpty else { return self.forbidden(address, self.name, by: policy) }
        var isAllowed = false
        var denial: PolicyDecision?
        for name in self.ties {
            guard let decision = self.tieForbidden(name, address, by: policy) else {
                isAllowed = true
                continue
            }
            if decision.isExplicit { return decision }
            denial = denial ?? decision
        }
        return isAllowed ? nil : denial
    }

    private func tieForbidden(_ name: HostName, _ address: IPAddress, by policy: Policy) -> PolicyDecision? {
        var target = self
        target.name = name
        return target.nameForbidden(by: policy) ?? self.forbidden(address, name, by: policy)
    }

    private func forbidden(_ address: IPAddress, _ name: HostName?, by policy: Policy) -> PolicyDecision? {
        let decision =
            self.port == 0
            ? policy.decideResolved(address: address, name: name)
            : policy.decide(address: address, port: self.port, name: name, transport: self.transport)
        return decision.allowed ? nil : decision
    }

    /// Which of its addresses a policy allows, and the first decision that forbids one.
    func reach(_ addresses: [IPAddress], under policy: Policy) -> (allowed: [IPAddress], denial: PolicyDecision?) {
        if let denial = self.nameForbidden(by: policy) { return ([], denial) }
        var denial: PolicyDecision?
        let allowed = addresses.filter { address in
            guard let decision = self.forbidden(address, by: policy) else { return true }
            denial = denial ?? decision
            return false
        }
        return (allowed, denial)
    }
}

extension PolicyDecision {
    /// Whether an entry of a deny list made it, or the node itself is meant, and not the lack of an entry that allows.
    fileprivate var isExplicit: Bool {
        switch self.rule {
        case .denylisted, .deniedBy, .protectedEndpoint: true
        default: false
        }
    }
}
