package import WasmnetPolicy

/// What a valid token says.
package struct TokenGrant: Sendable, Equatable {
    /// Who the client is.
    package var subject: String
    /// Which limits it has; nil for those of everyone.
    package var tier: String?
    /// The only destinations it may reach; nil for all that the policy allows.
    package var allow: [PolicyEntry]?

    package init(subject: String, tier: String? = nil, allow: [PolicyEntry]? = nil) {
        self.subject = subject
        self.tier = tier
        self.allow = allow
    }

    /// Whether a text can be a client's name: 1 to 128 visible ASCII characters, without braces, quotes and backslashes, which would need
    /// care in keys and logs.
    package static func isSubject(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"{}\"'\\".utf8.contains($0) }
    }

    /// Whether a text can be a tier's name: 1 to 64 characters that TOML takes without quotes.
    package static func isTier(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"): true
                default: false
                }
            }
    }
}

/// Which part of a token was wrong. Never told to a client; the node's own log may say it, since it holds nothing of the token.
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
