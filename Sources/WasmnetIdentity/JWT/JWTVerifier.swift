import Foundation
import JWTKit

/// Tells by a set of keys whether a JWT (RFC 7519, signed as RFC 7515's compact serialization) is valid, and what it grants.
package struct JWTVerifier: Sendable {
    private let keys: [VerificationKey]
    private let rules: ClaimRules

    /// The longest token that is looked at, in bytes.
    package static let mostBytes = 8192

    package init(keys: [VerificationKey], rules: ClaimRules) {
        self.keys = keys
        self.rules = rules
    }

    private struct Header: Decodable {
        var alg: String
        var kid: String?
        /// Extensions that must be understood, of which none is (RFC 7515, section 4.1.11).
        var hasCritical: Bool

        private enum CodingKeys: String, CodingKey { case alg, kid, crit }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            self.alg = try container.decode(String.self, forKey: .alg)
            self.kid = try container.decodeIfPresent(String.self, forKey: .kid)
            self.hasCritical = container.contains(.crit)
        }
    }

    /// - Parameter now: seconds since 1970.
    package func verify(_ token: String, now: Double) async -> Result<TokenGrant, TokenFault> {
        do {
            return .success(try self.rules.grant(try await self.claims(of: token), now: now))
        } catch {
            return .failure(error)
        }
    }

    private func claims(of token: String) async throws(TokenFault) -> Claims {
        guard token.utf8.count <= Self.mostBytes else { throw .tooLong }
        let candidates = try self.candidates(try Self.header(of: token))
        guard !candidates.isEmpty else { throw .key }
        var fault = TokenFault.signature
        for key in candidates {
            do {
                return try await key.collection().verify(token, as: Claims.self)
            } catch let error as JWTError where error.errorType == .signatureVerificationFailed {
                continue
            } catch {
                // Signed, but not a set of claims; or a signature that is none.
                fault = .claims
            }
        }
        throw fault
    }

    private static func header(of token: String) throws(TokenFault) -> Header {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2]), !signature.isEmpty, MemberNames.areUnique(header),
            MemberNames.areUnique(payload), let fields = try? JSONDecoder().decode(Header.self, from: Data(header)),
            !fields.hasCritical
        else { throw .malformed }
        return fields
    }

    /// The keys for the token's algorithm: the one with its `kid`, and those without any.
    private func candidates(_ header: Header) throws(TokenFault) -> [VerificationKey] {
        guard let algorithm = SigningAlgorithm(rawValue: header.alg) else { throw .algorithm }
        return self.keys.filter { key in
            key.algorithm == algorithm && (key.id == nil || header.kid == nil || key.id == header.kid)
        }
    }
}
