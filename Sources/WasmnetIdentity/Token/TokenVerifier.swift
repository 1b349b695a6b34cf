/// All the ways in which this node verifies tokens: by its file of tokens, by its keys.
package struct TokenVerifier: Sendable {
    package let tokens: StaticTokens?
    package let jwt: JWTVerifier?

    /// Nil if there is neither.
    package init?(tokens: StaticTokens?, jwt: JWTVerifier?) {
        guard tokens != nil || jwt != nil else { return nil }
        self.tokens = tokens
        self.jwt = jwt
    }

    /// - Parameter now: seconds since 1970.
    package func verify(_ token: String, now: Double) async -> Result<TokenGrant, TokenFault> {
        guard token.utf8.count <= JWTVerifier.maxBytes else { return .failure(.tooLong) }
        if let grant = self.tokens?.grant(for: token) { return .success(grant) }
        guard let jwt = self.jwt else { return .failure(.unknown) }
        return await jwt.verify(token, now: now)
    }
}
