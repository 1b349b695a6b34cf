import WasmnetNet

/// The names that determine a session's language in `Sec-WebSocket-Protocol` (RFC 6455, section 11.3.4).
package enum Subprotocol {
    package static let v1 = "wasmnet.v1"
    package static let v2 = "wasmnet.v2"
    /// An offered entry with this prefix carries the client's token; it is never echoed.
    package static let bearerPrefix = "wasmnet.bearer."
    /// The same with the token in base64url: a browser cannot offer a name with the `=` or `/` that a token may have (RFC 6455, section
    /// 4.1).
    package static let encodedBearerPrefix = "wasmnet.bearer64."
    /// The header field, in both directions.
    package static let headerName = "Sec-WebSocket-Protocol"
}

/// The subprotocols that a client offers with its upgrade request.
///
/// Names are compared exactly, as in RFC 6455. Empty list elements and repeated entries are ignored (RFC
/// 9110, section 5.6.1); an offer without any entry counts as no offer, so it is v1.
package struct SubprotocolOffer: Sendable, Equatable {
    package enum Answer: Sendable, Equatable {
        /// `echo` goes into the response's `Sec-WebSocket-Protocol`; nil sends no such field.
        case accepted(version: WireVersion, echo: String?, bearerToken: String?)
        /// The upgrade is refused with status 400 and this message, which contains nothing of the offer.
        case refused(String)
    }

    /// The offered names in order, without empty ones.
    private let names: [ByteText]

    /// - Parameter headerLines: The values of every `Sec-WebSocket-Protocol` line of the request, in order.
    package init(headerLines: some Sequence<String>) {
        self.names = headerLines.flatMap { ByteText($0).list() }
    }

    package var answer: Answer {
        guard !self.names.isEmpty else { return .accepted(version: .v1, echo: nil, bearerToken: nil) }
        var token: ByteText?
        for name in self.names {
            guard let offered = Self.token(in: name) else { continue }
            guard let offered, Self.isVisible(offered) else {
                return .refused("the bearer token is empty, not plain ASCII or not base64url")
            }
            guard token == nil || token == offered else { return .refused("more than one bearer token") }
            token = offered
        }
        if self.offers(Subprotocol.v2) {
            return .accepted(version: .v2, echo: Subprotocol.v2, bearerToken: token?.text)
        }
        if self.offers(Subprotocol.v1) {
            return .accepted(version: .v1, echo: Subprotocol.v1, bearerToken: token?.text)
        }
        if token != nil {
            return .refused("a bearer token is offered beside \(Subprotocol.v2) or \(Subprotocol.v1), not alone")
        }
        return .refused("no known subprotocol: offer \(Subprotocol.v2), \(Subprotocol.v1) or none")
    }

    /// Nil if a name carries no token; nil inside if it carries one that cannot be read.
    private static func token(in name: ByteText) -> ByteText?? {
        if let plain = name.dropping(prefix: ByteText(Subprotocol.bearerPrefix)) { return .some(plain) }
        guard let encoded = name.dropping(prefix: ByteText(Subprotocol.encodedBearerPrefix)) else { return nil }
        return .some(Base64URL.decode(encoded.text).map { ByteText($0) })
    }

    private func offers(_ name: String) -> Bool { self.names.contains(ByteText(name)) }

    private static func isVisible(_ token: ByteText) -> Bool {
        !token.isEmpty && token.bytes.allSatisfy { (0x21...0x7E).contains($0) }
    }
}
