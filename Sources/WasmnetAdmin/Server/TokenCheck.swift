import Crypto
import FoundationEssentials

/// Whether a request shows the token, in a time that tells nothing of it.
struct TokenCheck: Sendable {
    /// Of the token; nil: none is needed.
    private let digest: SHA256.Digest?

    init(_ token: String?) { self.digest = token.map { SHA256.hash(data: Data($0.utf8)) } }

    var isNeeded: Bool { self.digest != nil }

    /// - Parameter authorization: the `Authorization` field.
    /// - Throws: ``AdminError`` 401.
    func check(_ authorization: String?) throws(AdminError) {
        guard let digest else { return }
        let parts = (authorization ?? "").split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let scheme = parts.first, let shown = parts.last, scheme.lowercased() == "bearer" else {
            throw .unauthorized(isTokenWrong: false)
        }
        // Digests are of one length, and swift-crypto compares them in constant time.
        guard SHA256.hash(data: Data(shown.utf8)) == digest else { throw .unauthorized(isTokenWrong: true) }
    }
}
