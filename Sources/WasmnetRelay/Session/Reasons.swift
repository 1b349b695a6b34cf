import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetNet

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
        case .notAllowedByToken: return "\(place) leads to what is not among the destinations of the client's token"
        default: return "\(place) leads to no address that the policy allows"
        }
    }
}

extension Refusal {
    static func notSetUp(_ host: String) -> Refusal {
        Refusal(.internalError, "the connection to \(host) could not be set up")
    }

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

    init(_ decision: PolicyDecision, of socket: SocketCore) {
        self.init(decision, host: socket.facts.host, port: socket.facts.port)
    }

    init(_ refusal: QuotaRefusal) {
        let code: ReasonCode =
            switch refusal.kind {
            case .sessions: .maxSessions
            case .sockets: .maxConnections
            case .connectRate, .resolveRate: .connectRate
            case .bandwidth, .dayBytes: .byteQuota
            case .unanswered: .overloaded
            }
        self.init(code, refusal.message, retryAfterMilliseconds: refusal.retryAfterMilliseconds)
    }
}
