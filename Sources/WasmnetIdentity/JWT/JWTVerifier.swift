import Foundation
import JWTKit
import WasmnetProtocol
import WasmnetNet

/// Verifies with a set of keys whether a JWT (RFC 7519, signed as RFC 7515's compact serialization) is valid, and what it grants.
package struct JWTVerifier: Sendable {
    private let keys: [VerificationKey]
    private let rules: ClaimRules

    /// The longest token examined, in bytes.
    package static let maxBytes = 8192
    /// The most keys that one token's signature is checked with.
    package static let maxTried = 4

    package init(keys: [VerificationKey], rules: ClaimRules) {
        self.keys = keys
        self.rules = rules
    }

    private struct Header: Decodable {
        var alg: String
        var kid: String?
        /// Extensions that must be understood; none is supported (RFC 7515, section 4.1.11).
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
        guard token.utf8.count <= Self.maxBytes else { throw .tooLong }
        let candidates = try self.candidates(try Self.header(of: token))
        guard !candidates.isEmpty else { throw .key }
        var fault = TokenFault.signature
        for key in candidates {
            do {
                return try await key.collection().verify(token, as: Claims.self)
            } catch let error as JWTError where error.errorType == .signatureVerificationFailed {
                continue
            } catch {
                // Signed, but not a set of claims; or an invalid signature.
                fault = .claims
            }
        }
        throw fault
    }

    private static func header(of token: String) throws(TokenFault) -> Header {
        let parts = ByteText(token).split(at: ".", atMost: 4).map { Base64URL.decode($0.text) }
        guard parts.count == 3, let header = parts[0], let payload = parts[1],
            let signature = parts[2], !signature.isEmpty, MemberNames.areUnique(header),
            MemberNames.areUnique(payload), let fields = try? JSONDecoder().decode(Header.self, from: Data(header)),
            !fields.hasCritical
        else { throw .malformed }
        return fields
    }

    /// The first keys for the token's algorithm: the one with its `kid`, then those without any; all if the token has no `kid`.
    private func candidates(_ header: Header) throws(TokenFault) -> ArraySlice<VerificationKey> {
        guard let algorithm = SigningAlgorithm(name: header.alg) else { throw .algorithm }
        let keys = self.keys.filter { $0.algorithm == algorithm }
        guard let kid = header.kid.map({ ByteText($0) }) else { return keys.prefix(Self.maxTried) }
        let named = keys.filter { $0.id.map { ByteText($0) } == kid }
        return (named + keys.filter { $0.id == nil }).prefix(Self.maxTried)
    }

    /// A sentence for each algorithm with more keys than are tried.
    package static func warnings(about keys: [VerificationKey]) -> [String] {
        SigningAlgorithm.allCases.compactMap { algorithm in
            let count = keys.count { $0.algorithm == algorithm }
            guard count > Self.maxTried else { return nil }
            return """
                there are \(count) keys for \(algorithm.rawValue), and a token is checked with at most \(Self.maxTried): one that \
                names no kid, or one of a key without, may not find its key
                """
        }
    }
}
