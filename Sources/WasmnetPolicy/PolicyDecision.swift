/// Allowed or not, and the rule that decided it: the answer to "why denied".
package struct PolicyDecision: Equatable, Sendable {
    package enum Rule: Equatable, Sendable {
        case deniedBy(PolicyEntry)
        case allowedBy(PolicyEntry)
        /// The range's name.
        case builtInGuard(String)
        case protectedEndpoint
        case denyByDefault
        case notInAllow
        case noPolicy
        /// No rule about the name denies it; its addresses decide.
        case undecided
        case bindingIsOff
        case bindAddress
        case bindPort
        case bindable
        /// The policy in force may allow it; the client's token does not.
        case notAllowedByToken
        /// Takes precedence over all rules.
        case denylisted(DenylistEntry)
        /// No rule denies a connection from there.
        case acceptable
    }

    package let rule: Rule
    /// What was decided, for messages.
    package let subject: String

    init(_ rule: Rule, _ subject: String) {
        self.rule = rule
        self.subject = subject
    }

    package var allowed: Bool {
        switch self.rule {
        case .allowedBy, .noPolicy, .undecided, .bindable, .acceptable: true
        default: false
        }
    }

    /// For the `denied` event and the log: what, and by which entry.
    package var reason: String {
        switch self.rule {
        case .deniedBy(let entry): "\(self.subject) is denied by the entry \"\(entry.text)\""
        case .allowedBy(let entry): "\(self.subject) is allowed by the entry \"\(entry.text)\""
        case .builtInGuard(let range): "\(self.subject) is \(range), which no entry of allow opens"
        case .protectedEndpoint: "\(self.subject) is the node's own"
        case .denyByDefault: "\(self.subject) is denied by default and no entry of allow names it"
        case .notInAllow: "\(self.subject) is not in allow"
        case .noPolicy: "\(self.subject) is allowed, there is no policy"
        case .undecided: "\(self.subject) is decided by its addresses"
        case .bindingIsOff: "\(self.subject) cannot be bound, inbound sockets are off"
        case .bindAddress: "\(self.subject) is not in bind_addresses"
        case .bindPort: "\(self.subject) is not in bind_ports"
        case .bindable: "\(self.subject) may be bound"
        case .denylisted: "\(self.subject) is on the denylist"
        case .acceptable: "\(self.subject) may connect"
        case .notAllowedByToken: "\(self.subject) is not among the destinations of the client's token"
        }
    }
}
