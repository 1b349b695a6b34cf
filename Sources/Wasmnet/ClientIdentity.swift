import Foundation
import Logging
import WasmnetIdentity
import WasmnetPolicy
import WasmnetRelay

/// Makes a configuration's admission, and says what in it cannot be.
enum ClientIdentity {
    /// - Throws: ``ConfigurationError``.
    static func admission(
        _ configuration: ServerConfiguration, counters: AdmissionCounters
    ) throws -> any Admission {
        let clients = configuration.policy.clients
        if configuration.proxyProtocol != .off, clients.trustedProxies.isEmpty {
            throw ConfigurationError(
                "the PROXY protocol is on, but the policy names no trusted_proxies, so nobody may send its header")
        }
        let files = configuration.tokens
        let logger = configuration.logger
        let verifier: TokenVerifier?
        do {
            verifier = try IdentityFiles(
                tokenFile: files.tokenFile, keyFiles: files.jwtKeyFiles, keySetFile: files.jwksFile,
                rules: ClaimRules(issuer: files.issuer, audience: files.audience)
            ).load { logger.warning("a key is not used", metadata: ["reason": "\($0)"]) }
        } catch {
            throw ConfigurationError(error.description)
        }
        guard let verifier else {
            if clients.requireToken || clients.identifyBy == .token {
                throw ConfigurationError(
                    "the policy asks for tokens, but there is neither a token file nor a key for JWTs to tell them by")
            }
            return AddressAdmission(counters: counters)
        }
        for tier in (verifier.tokens?.tiers ?? []).sorted() where !configuration.policy.hasTier(tier) {
            throw ConfigurationError("the token file names the tier \(tier), which the policy does not have")
        }
        return TokenAdmission(verifier: verifier, counters: counters, logger: logger) {
            // The wall clock itself, whose corrections count: a token's times are another machine's.
            Date().timeIntervalSince1970
        }
    }
}
