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

extension Refusal {
    init(_ decision: PolicyDecision) {
        self.init(decision.code, decision.reason)
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
