/// The files that a node verifies tokens with, and the claims they must match.
package struct IdentityFiles: Sendable {
    package var tokenFile: String?
    /// As ``KeyFile/load(_:)`` takes them.
    package var keyFiles: [String]
    package var keySetFile: String?
    package var rules: ClaimRules

    package init(
        tokenFile: String? = nil, keyFiles: [String] = [], keySetFile: String? = nil, rules: ClaimRules = ClaimRules()
    ) {
        self.tokenFile = tokenFile
        self.keyFiles = keyFiles
        self.keySetFile = keySetFile
        self.rules = rules
    }

    /// Reads them all.
    ///
    /// - Parameter warn: called with a sentence for each key of an unsupported kind, and for each kind with more keys than are tried.
    /// - Returns: nil when no file is named.
    /// - Throws: ``IdentityFileError``.
    package func load(warn: (String) -> Void = { _ in }) throws(IdentityFileError) -> TokenVerifier? {
        var keys: [VerificationKey] = []
        for file in self.keyFiles { keys.append(try KeyFile.load(file)) }
        if let path = self.keySetFile {
            let set = try KeySetFile(file: path)
            set.skipped.forEach { warn("a key is not used: \($0)") }
            keys += set.keys
        }
        JWTVerifier.warnings(about: keys).forEach(warn)
        if keys.isEmpty, self.rules.issuer != nil || self.rules.audience != nil {
            throw IdentityFileError("an issuer or audience is required, but there is no key for JWTs")
        }
        var tokens: StaticTokens?
        if let path = self.tokenFile { tokens = try StaticTokens(file: path) }
        return TokenVerifier(tokens: tokens, jwt: keys.isEmpty ? nil : JWTVerifier(keys: keys, rules: self.rules))
    }
}
