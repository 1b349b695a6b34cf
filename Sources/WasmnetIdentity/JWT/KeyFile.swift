import Crypto
import Foundation

/// A key in a file of its own: `PATH` of a public key in PEM, whose type says its algorithm, or `ALGORITHM:PATH`; a secret needs `HS256:PATH`.
package enum KeyFile {
    /// The fewest bytes a secret may have (RFC 7518, section 3.2).
    package static let fewestSecretBytes = 32
    /// The DER of an Ed25519 public key before its 32 bytes (RFC 8410, section 4).
    private static let ed25519Prefix: [UInt8] = [
        0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// - Throws: ``IdentityFileError``.
    package static func load(_ argument: String) throws(IdentityFileError) -> VerificationKey {
        var wanted: SigningAlgorithm?
        var path = argument
        for algorithm in SigningAlgorithm.allCases {
            let prefix = "\(algorithm.rawValue):"
            guard argument.lowercased().hasPrefix(prefix.lowercased()) else { continue }
            wanted = algorithm
            path = String(argument.dropFirst(prefix.count))
        }
        return try self.parse(try IdentityFile.bytes(path), as: wanted, file: path)
    }

    /// - Parameter file: the name that errors give.
    package static func parse(
        _ bytes: [UInt8], as wanted: SigningAlgorithm?, file: String
    ) throws(IdentityFileError) -> VerificationKey {
        let text = String(decoding: bytes, as: UTF8.self)
        let isPEM = text.contains("-----BEGIN ")
        if wanted == .hs256 {
            // A public key as a secret is a secret that everybody knows.
            guard !isPEM else { throw IdentityFileError("\(file): this is a PEM file, not a secret for HS256") }
            return VerificationKey(id: nil, material: .secret(try self.secret(bytes, file: file)))
        }
        guard isPEM else {
            throw IdentityFileError("\(file): this is no public key in PEM; a secret is given as HS256:\(file)")
        }
        guard !text.contains("PRIVATE KEY-----") else {
            throw IdentityFileError("\(file): this is a private key; the node needs the public one alone")
        }
        guard let material = self.publicKey(text) else {
            throw IdentityFileError("\(file): this is no public key of P-256 (ES256) or Ed25519 (EdDSA)")
        }
        let key = VerificationKey(id: nil, material: material)
        if let wanted, wanted != key.algorithm {
            throw IdentityFileError("\(file): this is a key for \(key.algorithm.rawValue), not for \(wanted.rawValue)")
        }
        return key
    }

    /// The file's bytes without the line's end that editors add.
    private static func secret(_ bytes: [UInt8], file: String) throws(IdentityFileError) -> [UInt8] {
        var secret = bytes
        if secret.last == UInt8(ascii: "\n") { secret.removeLast() }
        if secret.last == UInt8(ascii: "\r") { secret.removeLast() }
        guard secret.count >= self.fewestSecretBytes else {
            throw IdentityFileError("\(file): a secret for HS256 has at least \(self.fewestSecretBytes) bytes")
        }
        return secret
    }

    private static func publicKey(_ pem: String) -> VerificationKey.Material? {
        if let key = try? P256.Signing.PublicKey(pemRepresentation: pem) { return .p256(key) }
        let lines = pem.split(whereSeparator: \.isNewline).map { $0.filter { !$0.isWhitespace } }
        guard lines.filter({ $0.hasPrefix("-----BEGIN") }).count == 1, lines.first == "-----BEGINPUBLICKEY-----",
            let end = lines.firstIndex(of: "-----ENDPUBLICKEY-----"), end == lines.count - 1,
            let der = Data(base64Encoded: lines[1..<end].joined()), der.count == self.ed25519Prefix.count + 32,
            der.starts(with: self.ed25519Prefix),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: der.suffix(32))
        else { return nil }
        return .ed25519(key)
    }
}
