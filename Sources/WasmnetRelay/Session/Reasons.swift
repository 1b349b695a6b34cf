import WasmnetPolicy
import WasmnetProtocol

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
            !self.subject.utf8.starts(with: name.text.utf8)
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

    /// As the client may learn it, and as the log tells it.
    init(_ decision: PolicyDecision, of target: SocketTarget) {
        self.init(decision.code, decision.words(host: target.host, port: target.port))
        self.detail = decision.reason
    }
}

extension SocketTarget {
    /// The decision by which a policy forbids what it once let through; nil when it does not.
    func forbidden(by policy: Policy) -> PolicyDecision? {
        if let name = self.name {
            let decision = policy.decide(name: name, port: self.port, transport: self.transport)
            guard decision.allowed else { return decision }
        }
        if let address = self.address {
            let decision = policy.decide(
                address: address, port: self.port, name: self.name, transport: self.transport)
            guard decision.allowed else { return decision }
        }
        return nil
    }

    /// The decision by which a policy forbids even to look the name up; nil when it does not.
    func lookupForbidden(by policy: Policy) -> PolicyDecision? {
        guard let name = self.name else { return nil }
        let decision = policy.decideLookup(name: name)
        return decision.allowed ? nil : decision
    }
}

extension SocketTarget {
    /// Which of its addresses a policy lets through, and the first decision that does not.
    func reach(_ addresses: [IPAddress], under policy: Policy) -> (allowed: [IPAddress], denial: PolicyDecision?) {
        var denial: PolicyDecision?
        let allowed = addresses.filter { address in
            let decision =
                self.port == 0
                ? policy.decideResolved(address: address, name: self.name)
                : policy.decide(address: address, port: self.port, name: self.name, transport: self.transport)
            if !decision.allowed { denial = denial ?? decision }
            return decision.allowed
        }
        return (allowed, denial)
    }
}
