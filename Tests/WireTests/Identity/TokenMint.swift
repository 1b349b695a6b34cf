import Crypto
import Foundation
import WasmnetIdentity
import WasmnetProtocol

/// Makes tokens as an issuer does, good and bad, with swift-crypto only, as an independent check of the node's library.
struct TokenMint {
    let secret = Array("a secret of 32 bytes or more, for tests".utf8)
    let p256 = P256.Signing.PrivateKey()
    let otherP256 = P256.Signing.PrivateKey()
    let ed25519 = Curve25519.Signing.PrivateKey()
    let otherEd25519 = Curve25519.Signing.PrivateKey()

    enum Signer {
        case hs256([UInt8])
        case es256(P256.Signing.PrivateKey)
        case edDSA(Curve25519.Signing.PrivateKey)
        case bytes([UInt8])
    }

    func sign(_ header: String, _ payload: String, _ signer: Signer) throws -> String {
        let input = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(payload.utf8))
        return input + "." + Base64URL.encode(try self.signature(Data(input.utf8), signer))
    }

    private func signature(_ input: Data, _ signer: Signer) throws -> [UInt8] {
        switch signer {
        case .hs256(let secret):
            Array(HMAC<SHA256>.authenticationCode(for: input, using: SymmetricKey(data: secret)))
        case .es256(let key): Array(try key.signature(for: input).rawRepresentation)
        case .edDSA(let key): Array(try key.signature(for: input))
        case .bytes(let bytes): bytes
        }
    }

    /// A good token of HS256.
    func token(_ payload: String) throws -> String {
        try self.sign(#"{"alg":"HS256","typ":"JWT"}"#, payload, .hs256(self.secret))
    }

    var p256PEM: String { self.p256.publicKey.pemRepresentation + "\n" }

    var ed25519PEM: String {
        let prefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]
        let der = Data(prefix + self.ed25519.publicKey.rawRepresentation)
        return "-----BEGIN PUBLIC KEY-----\n\(der.base64EncodedString())\n-----END PUBLIC KEY-----\n"
    }

    /// One key of each kind, each with a kid.
    var keySet: String {
        let point = Array(self.p256.publicKey.rawRepresentation)
        let (x, y) = (Base64URL.encode(Array(point[..<32])), Base64URL.encode(Array(point[32...])))
        return """
            {"keys":[
             {"kty":"oct","kid":"h","alg":"HS256","k":"\(Base64URL.encode(self.secret))"},
             {"kty":"EC","kid":"e","crv":"P-256","x":"\(x)","y":"\(y)"},
             {"kty":"OKP","kid":"d","crv":"Ed25519","use":"sig",
              "x":"\(Base64URL.encode(Array(self.ed25519.publicKey.rawRepresentation)))"},
             {"kty":"RSA","kid":"r","n":"AQAB","e":"AQAB"},
             {"kty":"EC","kid":"enc","use":"enc","crv":"P-256","x":"\(x)","y":"\(y)"}
            ]}
            """
    }

    /// All keys as from separate files.
    func plainKeys() throws -> [VerificationKey] {
        [
            try KeyFile.parse(self.secret, as: .hs256, file: "secret"),
            try KeyFile.parse(Array(self.p256PEM.utf8), as: nil, file: "p256.pem"),
            try KeyFile.parse(Array(self.ed25519PEM.utf8), as: nil, file: "ed25519.pem"),
        ]
    }
}
