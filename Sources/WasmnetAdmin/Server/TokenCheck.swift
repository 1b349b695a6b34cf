import Crypto
import FoundationEssentials
import WasmnetNet

/// Checks a request's token, in a time that reveals nothing of it.
struct TokenCheck: Sendable {
    /// Of the token; nil: none is needed.
    private let digest: SHA256.Digest?

    init(_ token: String?) { self.digest = token.map { SHA256.hash(data: Data($0.utf8)) } }

    var isNeeded: Bool { self.digest != nil }

    /// - Parameter authorization: the `Authorization` field.
    /// - Throws: ``AdminError`` 401.
    func check(_ authorization: String?) throws(AdminError) {
        guard let digest else { return }
        guard let (scheme, rest) = ByteText(authorization ?? "").firstWord, scheme.isEqual(ignoringCase: "bearer"),
            !rest.trimmed.isEmpty
        else { throw .unauthorized(isTokenWrong: false) }
        // Digests are of one length, and swift-crypto compares them in constant time.
        guard SHA256.hash(data: Data(rest.trimmed.bytes)) == digest else { throw .unauthorized(isTokenWrong: true) }
    }
}
