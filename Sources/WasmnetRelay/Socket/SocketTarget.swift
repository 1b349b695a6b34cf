import WasmnetNet
import WasmnetPolicy

/// A socket's target, as the client named it and as it was dialed; kept to decide again when the policy changes.
struct SocketTarget {
    var host: String
    var port: UInt16
    /// The name, if the client gave one.
    var name: HostName?
    /// If it gave an address: the names that this session resolved to it.
    var ties: [HostName] = []
    var address: IPAddress?
    var transport: TransportProtocol
}

extension SocketTarget {
    /// The decision by which a policy forbids the target, as far as known by now; nil if it does not.
    func forbidden(by policy: Policy) -> PolicyDecision? {
        if let decision = self.nameForbidden(by: policy) { return decision }
        return self.address.flatMap { self.forbidden($0, by: policy) }
    }

    /// The decision by which a policy forbids the name before its addresses are known; nil if it does not.
    func nameForbidden(by policy: Policy) -> PolicyDecision? {
        guard let name = self.name else { return nil }
        let decision =
            self.port == 0
            ? policy.decideLookup(name: name) : policy.decide(name: name, port: self.port, transport: self.transport)
        return decision.allowed ? nil : decision
    }

    /// The decision by which a policy forbids one of its addresses; nil if it does not. Of several names that share the address, a
    /// denied one denies it; otherwise one allowed name is enough.
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
    /// Whether it results from a deny entry, or because the node itself is the target, and not from the lack of an allow entry.
    fileprivate var isExplicit: Bool {
        switch self.rule {
        case .denylisted, .deniedBy, .protectedEndpoint: true
        default: false
        }
    }
}
