import Crypto
import Foundation
import WasmnetNet

/// A key in a separate file: `PATH` of a public key in PEM, whose type determines its algorithm, or `ALGORITHM:PATH`; a secret needs
/// `HS256:PATH`.
package enum KeyFile {
    /// The fewest bytes a secret may have (RFC 7518, section 3.2).
    package static let fewestSecretBytes = 32
    /// The DER of an Ed25519 public key before its 32 bytes (RFC 8410, section 4).
    private static let ed25519Prefix: [UInt8] = [
        0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// - Throws: ``IdentityFileError``.
    package static func load(_ argument: String) throws(IdentityFileError) -> VerificationKey {
        for algorithm in SigningAlgorithm.allCases {
            for name in algorithm.names {
                guard let (written, path) = ByteText(argument).cut(at: ":"),
                    written.isEqual(ignoringCase: ByteText(name))
                else { continue }
                return try self.parse(try IdentityFile.bytes(path.text), as: algorithm, file: path.text)
            }
        }
        return try self.parse(try IdentityFile.bytes(argument), as: nil, file: argument)
    }

    /// - Parameter file: the name used in errors.
    package static func parse(
        _ bytes: [UInt8], as wanted: SigningAlgorithm?, file: String
    ) throws(IdentityFileError) -> VerificationKey {
        let isPEM = ByteText(bytes).holds("-----BEGIN ")
        if wanted == .hs256 {
            // A public key used as a secret would be known to everyone.
            guard !isPEM else { throw IdentityFileError("\(file): this is a PEM file, not a secret for HS256") }
            return VerificationKey(id: nil, material: .secret(try self.secret(bytes, file: file)))
        }
        guard isPEM else {
            throw IdentityFileError("\(file): this is not a public key in PEM; give a secret as HS256:\(file)")
        }
        let text = try IdentityFile.text(bytes, file: file)
        guard !text.holds("PRIVATE KEY-----") else {
            throw IdentityFileError("\(file): this is a private key; the node needs only the public key")
        }
        guard let material = self.publicKey(text) else {
            throw IdentityFileError("\(file): this is not a public key of P-256 (ES256) or Ed25519 (EdDSA)")
        }
        if let weakness = material.weakness { throw IdentityFileError("\(file): \(weakness)") }
        let key = VerificationKey(id: nil, material: material)
        if let wanted, wanted != key.algorithm {
            throw IdentityFileError("\(file): this is a key for \(key.algorithm.rawValue), not for \(wanted.rawValue)")
        }
        return key
    }

    /// The file's bytes without the final newline that editors add.
    private static func secret(_ bytes: [UInt8], file: String) throws(IdentityFileError) -> [UInt8] {
        var secret = bytes
        if secret.last == UInt8(ascii: "\n") { secret.removeLast() }
        if secret.last == UInt8(ascii: "\r") { secret.removeLast() }
        guard secret.count >= self.fewestSecretBytes else {
            throw IdentityFileError("\(file): a secret for HS256 has at least \(self.fewestSecretBytes) bytes")
        }
        return secret
    }

    private static func publicKey(_ pem: ByteText) -> VerificationKey.Material? {
        let lines = pem.lines.map(\.trimmed).filter { !$0.isEmpty }
        let text = lines.map(\.text).joined(separator: "\n")
        if let key = try? P256.Signing.PublicKey(pemRepresentation: text) { return .p256(key) }
        guard lines.count(where: { $0.starts(with: "-----BEGIN") }) == 1, lines.first == "-----BEGIN PUBLIC KEY-----",
            lines.last == "-----END PUBLIC KEY-----",
            let der = Data(base64Encoded: lines.dropFirst().dropLast().map(\.text).joined()),
            der.count == self.ed25519Prefix.count + 32, der.starts(with: self.ed25519Prefix),
            let key = try? Curve25519.Signing.PublicKey(rawRepresentation: der.suffix(32))
        else { return nil }
        return .ed25519(key)
    }
}
