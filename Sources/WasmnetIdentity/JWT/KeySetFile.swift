import Crypto
import Foundation
import WasmnetText

/// A JSON Web Key Set (RFC 7517, section 5) as a file: the keys in it that can be used here, and what the others are.
package struct KeySetFile: Sendable {
    package let keys: [VerificationKey]
    /// One sentence for each key that is of a kind not used here, to be logged.
    package let skipped: [String]

    /// The most keys of one set.
    package static let mostKeys = 64

    private struct Set: Decodable {
        var keys: [Key]
    }

    private struct Key: Decodable {
        var kty: String
        var kid: String?
        var use: String?
        var alg: String?
        var crv: String?
        var x: String?
        var y: String?
        var k: String?
        var d: String?
    }

    /// - Throws: ``IdentityFileError``.
    package init(file path: String) throws(IdentityFileError) {
        try self.init(json: try IdentityFile.bytes(path), file: path)
    }

    /// - Parameter file: the name that errors give.
    package init(json: [UInt8], file: String) throws(IdentityFileError) {
        guard let set = try? JSONDecoder().decode(Set.self, from: Data(json)) else {
            throw IdentityFileError("\(file): this is no JSON Web Key Set")
        }
        guard set.keys.count <= Self.mostKeys else {
            throw IdentityFileError("\(file): more than \(Self.mostKeys) keys")
        }
        var keys: [VerificationKey] = []
        var skipped: [String] = []
        for (index, key) in set.keys.enumerated() {
            let name = "\(file): keys[\(index)]"
            guard key.kid?.isEmpty != true else { throw IdentityFileError("\(name): kid is empty") }
            if let kid = key.kid, keys.contains(where: { $0.id.map { ByteText($0) } == ByteText(kid) }) {
                throw IdentityFileError("\(name): an earlier key has the same kid")
            }
            if let reason = Self.reasonToSkip(key) {
                // A set serves other readers too (RFC 7517, section 5).
                skipped.append("\(name): \(reason)")
                continue
            }
            guard key.kty == "oct" || key.d == nil else {
                throw IdentityFileError("\(name): this is a private key; the node needs the public one alone")
            }
            guard let material = Self.material(key) else {
                throw IdentityFileError("\(name): the key's value is missing, malformed or too short")
            }
            keys.append(VerificationKey(id: key.kid, material: material))
        }
        guard !keys.isEmpty else { throw IdentityFileError("\(file): there is no key for HS256, ES256 or EdDSA in it") }
        self.keys = keys
        self.skipped = skipped
    }

    private static func reasonToSkip(_ key: Key) -> String? {
        guard key.use ?? "sig" == "sig" else { return "it is not for signatures" }
        let algorithm: SigningAlgorithm
        switch (key.kty, key.crv) {
        case ("oct", _): algorithm = .hs256
        case ("EC", "P-256"): algorithm = .es256
        case ("OKP", "Ed25519"): algorithm = .edDSA
        default: return "keys of this type are not used here"
        }
        guard key.alg.map({ SigningAlgorithm(name: $0) == algorithm }) ?? true else {
            return "its algorithm is not used here"
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
