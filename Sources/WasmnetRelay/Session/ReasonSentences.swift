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

extension SocketTarget {
    /// Why a policy forbids what it once let through; nil when it does not.
    func forbidden(by policy: Policy) -> String? {
        if let name = self.name {
            let decision = policy.decide(name: name, port: self.port, transport: self.transport)
            guard decision.allowed else { return decision.reason }
        }
        if let address = self.address {
            let decision = policy.decide(
                address: address, port: self.port, name: self.name, transport: self.transport)
            guard decision.allowed else { return decision.reason }
        }
        return nil
    }

    /// Why a policy forbids even to look the name up; nil when it does not.
    func lookupForbidden(by policy: Policy) -> String? {
        guard let name = self.name else { return nil }
        let decision = policy.decideLookup(name: name)
        return decision.allowed ? nil : decision.reason
    }
}
