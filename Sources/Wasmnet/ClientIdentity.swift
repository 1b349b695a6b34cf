import WasmnetNet
import Foundation
import Logging
import WasmnetIdentity
import WasmnetPolicy
import WasmnetRelay

/// What the rest of a configuration requires of every policy, the first and each later one.
struct IdentityDemands: Sendable {
    let readsProxyHeaders: Bool
    /// Tiers that static tokens name; nil: tokens are not used.
    let tokenTiers: [String]?

    func check(_ policy: Policy) throws(ConfigurationError) {
        if self.readsProxyHeaders, policy.clients.trustedProxies.isEmpty {
            throw ConfigurationError(
                "the PROXY protocol is on, but the policy names no trusted_proxies, so no address may send its header")
        }
        guard let tiers = self.tokenTiers else {
            guard !policy.clients.requireToken, policy.clients.identifyBy != .token else {
                throw ConfigurationError(
                    "the policy asks for tokens, but there is neither a token file nor a key for JWTs to verify them with"
                )
            }
            return
        }
        for tier in tiers where !policy.hasTier(tier) {
            throw ConfigurationError("the token file names the tier \(tier), which the policy does not have")
        }
    }
}

/// Creates a configuration's admission, and reports what is wrong with it.
enum ClientIdentity {
    /// - Throws: ``ConfigurationError``.
    static func admission(
        _ configuration: ServerConfiguration, counters: AdmissionCounters
    ) throws -> (any Admission, IdentityDemands) {
        let files = configuration.tokens
        let logger = configuration.logger
        let verifier: TokenVerifier?
        do {
            verifier = try IdentityFiles(
                tokenFile: files.tokenFile, keyFiles: files.jwtKeyFiles, keySetFile: files.jwksFile,
                rules: ClaimRules(issuer: files.issuer, audience: files.audience)
            ).load { logger.warning("keys for tokens", metadata: ["reason": "\($0)"]) }
        } catch {
            throw ConfigurationError(error.description)
        }
        let demands = IdentityDemands(
            readsProxyHeaders: configuration.proxyProtocol != .off,
            tokenTiers: verifier.map { ($0.tokens?.tiers ?? []).sorted() })
        try demands.check(configuration.policy)
        guard let verifier else { return (AddressAdmission(counters: counters), demands) }
        let clock = SystemClock()
        let admission = TokenAdmission(
            verifier: verifier, counters: counters, logger: logger, uptime: clock.uptimeNanoseconds
        ) {
            // The wall clock with its corrections: a token's times are another machine's.
            Double(MachineClock.wall().milliseconds) / 1000
        }
        return (admission, demands)
    }
}
