import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetNet

extension ReasonCode {
    /// A sentence about what happened to a socket to `host`, for `closed` messages.
    func sentence(_ host: String) -> String {
        switch self {
        case .normal: ""
        case .clientClosed: "closed by the client"
        case .targetReset: "\(host) reset the connection"
        case .targetTimeout: "no byte for too long"
        default: self.word
        }
    }
}

extension PolicyDecision {
    /// The reason code of a refusal or an end by this decision.
    var code: ReasonCode {
        if case .denylisted = self.rule { .denylisted } else { .policyDenied }
    }
}

extension PolicyDecision {
    /// For the client, which named `host`: the addresses of a name, and the entry that denies them, are not disclosed, since the name may
    /// be of a network that the client cannot see.
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

    /// In the form the client may see, and with ``detail`` for the log.
    ///
    /// - Parameter host: as the client named it.
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
