import Crypto
import JWTKit
import WasmnetNet

/// The supported signature algorithms of tokens (RFC 7518, section 3.1; RFC 8037): never `none`, RSA or encryption.
package enum SigningAlgorithm: String, Sendable, CaseIterable {
    case hs256 = "HS256"
    case es256 = "ES256"
    case edDSA = "EdDSA"

    /// As `alg` may name it: for Ed25519, RFC 9864's name in addition to RFC 8037's.
    package var names: [String] { self == .edDSA ? [self.rawValue, "Ed25519"] : [self.rawValue] }

    /// - Parameter name: an `alg`, compared exactly, as RFC 7515, section 4.1.1, requires.
    package init?(name: String) {
        let found = Self.allCases.first { $0.names.contains { ByteText($0) == ByteText(name) } }
        guard let found else { return nil }
        self = found
    }
}

/// A key bound to its one algorithm (RFC 8725, section 3.1): a token that names another is not checked with it.
package struct VerificationKey: Sendable {
    enum Material: Sendable {
        /// At least 32 bytes (RFC 7518, section 3.2).
        case secret([UInt8])
        case p256(P256.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)

        /// Why it must not be used for verification; nil for a sound key.
        var weakness: String? {
            guard case .ed25519(let key) = self, SmallOrderPoints.contain(key.rawRepresentation) else { return nil }
            return "the key is a point of small order: anybody can sign for it"
        }
    }

    /// The `kid` in a key set; nil for a key from a separate file, which is tried for every token.
    package let id: String?
    let material: Material

    package var algorithm: SigningAlgorithm {
        switch self.material {
        case .secret: .hs256
        case .p256: .es256
        case .ed25519: .edDSA
        }
    }

    /// A collection with only this key, so that nothing in a token can choose another key or algorithm.
    func collection() async throws -> JWTKeyCollection {
        let keys = JWTKeyCollection()
        switch self.material {
        case .secret(let secret): await keys.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        case .p256(let key): await keys.add(ecdsa: try ES256PublicKey(backing: key))
        case .ed25519(let key): await keys.add(eddsa: EdDSA.PublicKey(backing: key))
        }
        return keys
    }
}
