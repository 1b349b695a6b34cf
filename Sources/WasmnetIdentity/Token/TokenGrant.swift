package import WasmnetPolicy

/// What a valid token grants.
package struct TokenGrant: Sendable, Equatable {
    /// The client's name: a ``ClientName``.
    package var subject: String
    /// The tier whose limits apply; nil for the default ones.
    package var tier: String?
    /// The only destinations it may reach; nil for all that the policy allows.
    package var allow: [PolicyEntry]?

    package init(subject: String, tier: String? = nil, allow: [PolicyEntry]? = nil) {
        self.subject = subject
        self.tier = tier
        self.allow = allow
    }
}

/// Which part of a token was wrong. Never sent to a client; the node's own log may contain it, since it reveals nothing of the token.
package enum TokenFault: String, Error, Sendable, CaseIterable {
    case unclear
    case tooLong = "too_long"
    case unknown
    case malformed
    case algorithm
    case key
    case signature
    case claims
    case expired
    case notYetValid = "not_yet_valid"
    case issuer
    case audience
    case subject
    case tier
    case destinations
}
