package import NIOHTTP1
import WasmnetProtocol
import WasmnetNet

/// The token of a request: as an offered subprotocol, `wasmnet.bearer.TOKEN` or `wasmnet.bearer64.` with the token in base64url, which is
/// all that a page can set; as `Authorization: Bearer` (RFC 6750, section 2.1); or as `?token=`.
package enum PresentedToken: Equatable, Sendable {
    case none
    case token(String)
    /// Two that differ, or one that cannot be read.
    case unclear

    package static func find(in head: HTTPRequestHead) -> PresentedToken {
        var found: Set<ByteText> = []
        let offer = SubprotocolOffer(headerLines: head.headers["Sec-WebSocket-Protocol"])
        if case .accepted(_, _, let token?) = offer.answer { found.insert(ByteText(token)) }
        for line in head.headers["Authorization"] {
            let words = ByteText(line).words
            guard words.first?.isEqual(ignoringCase: "bearer") == true else { continue }
            guard words.count == 2 else { return .unclear }
            found.insert(words[1])
        }
        for parameter in ByteText(head.uri).cut(at: "?")?.after.split(at: "&") ?? [] {
            // An escaped letter equals the letter (RFC 3986, section 6.2.2.2), even in a name.
            guard parameter.before("=").percentDecoded == "token" else { continue }
            guard let token = parameter.cut(at: "=")?.after.percentDecoded else { return .unclear }
            found.insert(token)
        }
        guard let token = found.first else { return .none }
        guard found.count == 1, !token.isEmpty, let text = token.validText else { return .unclear }
        return .token(text)
    }
}
