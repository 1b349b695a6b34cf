package import NIOHTTP1
import WasmnetProtocol

/// The token of a request: as an offered subprotocol `wasmnet.bearer.<token>`, which is all that a page can set; as `Authorization:
/// Bearer` (RFC 6750, section 2.1); or as `?token=`.
package enum PresentedToken: Equatable, Sendable {
    case none
    case token(String)
    /// Two that differ, or one that cannot be read.
    case unclear

    package static func find(in head: HTTPRequestHead) -> PresentedToken {
        var found: Set<String> = []
        let offer = SubprotocolOffer(headerLines: head.headers["Sec-WebSocket-Protocol"])
        if case .accepted(_, _, let token?) = offer.answer { found.insert(token) }
        for line in head.headers["Authorization"] {
            guard let token = self.bearer(line) else { continue }
            found.insert(token)
        }
        for parameter in self.query(head.uri) {
            let pair = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.first == "token" else { continue }
            guard pair.count == 2, let token = self.percentDecoded(pair[1]) else { return .unclear }
            found.insert(token)
        }
        guard let token = found.first else { return .none }
        return found.count == 1 && !token.isEmpty ? .token(token) : .unclear
    }

    /// What stands behind `Bearer`, whose case does not matter; nil for other schemes.
    private static func bearer(_ line: String) -> String? {
        let parts = line.split(separator: " ", maxSplits: 1)
        guard let scheme = parts.first, scheme.lowercased() == "bearer" else { return nil }
        guard parts.count == 2 else { return "" }
        return String(parts[1].filter { $0 != " " })
    }

    private static func query(_ uri: String) -> [Substring] {
        guard let mark = uri.firstIndex(of: "?") else { return [] }
        return uri[uri.index(after: mark)...].split(separator: "&")
    }

    /// RFC 3986, section 2.1; nil for a `%` without two digits and for what is no UTF-8.
    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap(self.hexDigit), let low = rest.popFirst().flatMap(self.hexDigit)
            else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8(truncatingIfNeeded: $0) }
    }
}
