package import WasmnetNet

/// The transport protocol.
public enum TransportProtocol: String, Sendable, CaseIterable {
    case tcp
    case udp
}

extension TransportProtocol {
    /// The prefix of an entry: `tcp/` or `udp/`.
    var prefix: String { "\(self.rawValue)/" }

    /// The transport that an entry begins with, nil for none, and the rest.
    ///
    /// - Throws: for an invalid transport.
    static func split(_ text: ByteText) throws(DestinationError) -> (TransportProtocol?, ByteText) {
        guard let (head, rest) = text.cut(at: "/") else { return (nil, text) }
        guard let transport = TransportProtocol(rawValue: head.text) else {
            try Self.refuseMistake(head, rest)
            return (nil, text)
        }
        if rest.isEmpty || rest.decimal(as: UInt16.self) != nil {
            let port = rest.isEmpty ? "" : ":\(rest.text)"
            throw DestinationError(
                "a host is missing after \"\(transport.prefix)\"; \"*\" is every host, as in \"\(transport.prefix)*\(port)\""
            )
        }
        if Self.allCases.contains(where: { rest.starts(with: ByteText($0.prefix)) }) {
            throw DestinationError("an entry has one transport; without \"tcp/\" and \"udp/\" it is for both")
        }
        return (transport, rest)
    }

    /// - Throws: if a text begins with a transport, in a field whose values apply to both.
    package static func refuse(in text: ByteText) throws(DestinationError) {
        guard let transport = Self.allCases.first(where: { text.starts(with: ByteText($0.prefix)) }) else { return }
        throw DestinationError(
            "\"\(transport.prefix)\" is possible only in allow, in deny and in a token's allow; an entry here is for both TCP and UDP: leave it out"
        )
    }

    /// After an address a slash begins the prefix length. Otherwise a transport was meant, or something unknown.
    private static func refuseMistake(_ head: ByteText, _ rest: ByteText) throws(DestinationError) {
        if let transport = TransportProtocol(rawValue: rest.text) {
            throw DestinationError("the transport comes first: \"\(transport.prefix)\(head.text)\"")
        }
        guard IPAddress(head.text) == nil else { return }
        let word = head.dropping(suffix: ":") ?? head
        let isWord =
            word.bytes.first.map { (0x41...0x5A).contains($0 & 0xDF) } == true && !word.has(".") && !word.has(":")
        guard isWord else { return }
        let meant = Spelling.nearest(to: word.lowercased.text, among: Self.allCases.map(\.rawValue))
        guard meant != nil || rest.before(":").decimal(as: UInt8.self) == nil else { return }
        let hint = meant.map { "; did you mean \"\($0)/\"?" } ?? ""
        throw DestinationError("\"\(head.text)/\" is not a transport, which is \"tcp/\" or \"udp/\"\(hint)")
    }
}
