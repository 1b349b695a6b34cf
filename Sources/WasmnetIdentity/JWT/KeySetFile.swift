import Crypto
import Foundation
import WasmnetProtocol
import WasmnetNet

/// A JSON Web Key Set as a file: its usable keys, and a description of the others, which are ignored (RFC 7517, section 5).
package struct KeySetFile: Sendable {
    package let keys: [VerificationKey]
    /// One sentence for each key that is ignored, to be logged.
    package let skipped: [String]

    /// The most keys of one set.
    package static let maxKeys = 64

    private struct Set: Decodable {
        var keys: [Entry]
    }

    /// One key of the set; nil if it is not a key at all.
    private struct Entry: Decodable {
        var key: Key?

        init(from decoder: any Decoder) throws {
            self.key = try? Key(from: decoder)
        }
    }

    private struct Key: Decodable {
        var kty: String
        var kid: String?
        var use: String?
        var operations: [String]?
        var alg: String?
        var crv: String?
        var x: String?
        var y: String?
        var k: String?
        var d: String?

        enum CodingKeys: String, CodingKey {
            case kty
            case kid
            case use
            case operations = "key_ops"
            case alg
            case crv
            case x
            case y
            case k
            case d
        }
    }

    /// - Throws: ``IdentityFileError``.
    package init(file path: String) throws(IdentityFileError) {
        try self.init(json: try IdentityFile.bytes(path), file: path)
    }

    /// - Parameter file: the name used in errors.
    package init(json: [UInt8], file: String) throws(IdentityFileError) {
        guard let set = try? JSONDecoder().decode(Set.self, from: Data(json)) else {
            throw IdentityFileError("\(file): this is not a JSON Web Key Set")
        }
        guard set.keys.count <= Self.maxKeys else {
            throw IdentityFileError("\(file): more than \(Self.maxKeys) keys")
        }
        var keys: [VerificationKey] = []
        var skipped: [String] = []
        for (index, entry) in set.keys.enumerated() {
            let name = "\(file): keys[\(index)]"
            if let key = entry.key, key.kty != "oct", key.d != nil {
                throw IdentityFileError("\(name): this is a private key; the node needs only the public key")
            }
            switch Self.read(entry.key) {
            case .success(let key): keys.append(key)
            case .failure(let reason): skipped.append("\(name): \(reason.words)")
            }
        }
        guard !keys.isEmpty else {
            let reasons = skipped.first.map { " (\($0))" } ?? ""
            throw IdentityFileError("\(file): there is no key for HS256, ES256 or EdDSA in it\(reasons)")
        }
        self.keys = keys
        self.skipped = skipped
    }

    private struct Skip: Error {
        let words: String
    }

    private static func read(_ key: Key?) -> Result<VerificationKey, Skip> {
        guard let key else { return .failure(Skip(words: "it is not a key of RFC 7517")) }
        if let reason = Self.reasonToSkip(key) { return .failure(Skip(words: reason)) }
        guard let material = Self.material(key) else {
            return .failure(Skip(words: "the key's value is missing, malformed or too short"))
        }
        if let weakness = material.weakness { return .failure(Skip(words: weakness)) }
        return .success(VerificationKey(id: key.kid, material: material))
    }

    private static func reasonToSkip(_ key: Key) -> String? {
        guard key.use ?? "sig" == "sig" else { return "it is not for signatures" }
        // RFC 7517, section 4.3.
        guard key.operations?.contains(where: { ByteText($0) == "verify" }) ?? true else {
            return "its key_ops do not include \"verify\""
        }
        let algorithm: SigningAlgorithm
        switch (key.kty, key.crv) {
        case ("oct", _): algorithm = .hs256
        case ("EC", "P-256"): algorithm = .es256
        case ("OKP", "Ed25519"): algorithm = .edDSA
        default: return "keys of this type are not supported"
        }
        guard key.alg.map({ SigningAlgorithm(name: $0) == algorithm }) ?? true else {
            return "its algorithm is not supported"
        }
        return nil
    }

    private static func material(_ key: Key) -> VerificationKey.Material? {
        switch key.kty {
        case "oct":
            guard let secret = key.k.flatMap(Base64URL.decode), secret.count >= KeyFile.fewestSecretBytes else {
                return nil
            }
            return .secret(secret)
        case "EC":
            guard let x = key.x.flatMap(Base64URL.decode), let y = key.y.flatMap(Base64URL.decode), x.count == 32,
                y.count == 32, let key = try? P256.Signing.PublicKey(rawRepresentation: x + y)
            else { return nil }
            return .p256(key)
        default:
            guard let x = key.x.flatMap(Base64URL.decode), x.count == 32,
                let key = try? Curve25519.Signing.PublicKey(rawRepresentation: x)
            else { return nil }
            return .ed25519(key)
        }
    }
}
