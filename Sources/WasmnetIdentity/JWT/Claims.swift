import JWTKit
import WasmnetPolicy
import WasmnetNet
import WasmnetQuota

/// The claims of a token (RFC 7519, section 4.1, and `tier` and `allow`, which are ours).
struct Claims: JWTPayload {
    var sub: String
    var exp: NumericDate
    var nbf: NumericDate?
    /// Not used.
    var iat: NumericDate?
    var iss: String?
    var aud: Audience?
    var tier: String?
    var allow: Destinations?

    /// Seconds since 1970 (RFC 7519, section 2).
    struct NumericDate: Codable, Sendable {
        var seconds: Double

        init(from decoder: any Decoder) throws {
            self.seconds = try decoder.singleValueContainer().decode(Double.self)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(self.seconds)
        }
    }

    /// One text or a list of them (RFC 7519, section 4.1.3).
    struct Audience: Codable, Sendable {
        var names: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let name = try? container.decode(String.self) {
                self.names = [name]
            } else {
                self.names = try container.decode([String].self)
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(self.names)
        }
    }

    /// Entries as in the policy.
    struct Destinations: Codable, Sendable {
        var entries: [String]

        init(from decoder: any Decoder) throws {
            self.entries = try decoder.singleValueContainer().decode([String].self)
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            try container.encode(self.entries)
        }
    }

    /// The library calls this without a clock; ``ClaimRules`` decides afterwards with the node's.
    func verify(using algorithm: some JWTAlgorithm) async throws {}
}

extension KeyedDecodingContainer {
    /// The synthesized decoding calls this: a null is not a number.
    fileprivate func decodeIfPresent(_ type: Claims.NumericDate.Type, forKey key: Key) throws -> Claims.NumericDate? {
        self.contains(key) ? try self.decode(type, forKey: key) : nil
    }

    /// A null is not a list, and does not mean that everything may be reached.
    fileprivate func decodeIfPresent(_ type: Claims.Destinations.Type, forKey key: Key) throws -> Claims.Destinations? {
        self.contains(key) ? try self.decode(type, forKey: key) : nil
    }
}

/// The requirements on claims. Values; the time is passed in.
package struct ClaimRules: Sendable, Equatable {
    /// The required `iss`; nil accepts any, or none.
    package var issuer: String?
    /// A required member of `aud`; nil accepts any, or none.
    package var audience: String?
    /// How far the issuer's clock may be from this one, in seconds. Default 30.
    package var leewaySeconds: Double

    package init(issuer: String? = nil, audience: String? = nil, leewaySeconds: Double = 30) {
        self.issuer = issuer
        self.audience = audience
        self.leewaySeconds = leewaySeconds
    }

    /// - Parameter now: seconds since 1970.
    func grant(_ claims: Claims, now: Double) throws(TokenFault) -> TokenGrant {
        let end = claims.exp.seconds
        guard end.isFinite, now < end + self.leewaySeconds else { throw .expired }
        if let start = claims.nbf?.seconds {
            guard start.isFinite, now >= start - self.leewaySeconds else { throw .notYetValid }
        }
        if let issuer = self.issuer {
            guard claims.iss.map({ ByteText($0) }) == ByteText(issuer) else { throw .issuer }
        }
        if let audience = self.audience {
            let names = claims.aud?.names.map { ByteText($0) } ?? []
            guard names.contains(ByteText(audience)) else { throw .audience }
        }
        guard ClientName.isName(claims.sub) else { throw .subject }
        if let tier = claims.tier {
            guard Policy.isTierName(tier) else { throw .tier }
        }
        return TokenGrant(subject: claims.sub, tier: claims.tier, allow: try Self.entries(claims.allow?.entries))
    }

    /// A bad entry invalidates the token: it must not allow more, nor only the rest.
    private static func entries(_ texts: [String]?) throws(TokenFault) -> [PolicyEntry]? {
        guard let texts else { return nil }
        var entries: [PolicyEntry] = []
        for text in texts {
            do { entries.append(try PolicyEntry(text)) } catch { throw .destinations }
        }
        return entries
    }
}
