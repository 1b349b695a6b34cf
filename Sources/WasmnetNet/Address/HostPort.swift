/// A host and the text of its port, as `host`, `host:port`, `[v6]` or `[v6]:port` (RFC 3986, sections 3.2.2 and 3.2.3).
package struct HostPort: Hashable, Sendable {
    /// Without brackets.
    package let host: ByteText
    package let isInBrackets: Bool
    /// The text after the host's colon; nil if there is none.
    package let port: ByteText?

    /// Why a text does not have that form.
    package enum Fault: String, Error {
        case openBracket = "a [ without its ]"
        case textAfterBracket = "only a port may follow a ]"
        case bareIPv6 = "an IPv6 address must be in brackets"
    }

    package init(_ text: ByteText) throws(Fault) {
        let rest: ByteText
        if let bracket = text.dropping(prefix: "[") {
            guard let (inside, after) = bracket.cut(at: "]") else { throw .openBracket }
            (self.host, self.isInBrackets, rest) = (inside, true, after)
        } else {
            (self.host, self.isInBrackets) = (text.before(":"), false)
            rest = text.dropping(prefix: self.host) ?? ""
        }
        self.port = rest.dropping(prefix: ":")
        if self.port == nil, !rest.isEmpty { throw .textAfterBracket }
        if !self.isInBrackets, self.port?.has(":") == true { throw .bareIPv6 }
    }

    /// The host as it was written, with its brackets.
    package var writtenHost: ByteText { self.isInBrackets ? ByteText("[\(self.host.text)]") : self.host }

    /// The port as a number; nil if it is not in the range.
    package func portNumber(in range: ClosedRange<UInt16> = 1...65535) -> UInt16? {
        self.port?.decimal(as: UInt16.self).flatMap { range.contains($0) ? $0 : nil }
    }

    /// `host:port`, with brackets around a host that contains a colon.
    package static func text(_ host: String, _ port: some BinaryInteger) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension IPAddress {
    package func endpointText(port: UInt16) -> String { HostPort.text(self.description, port) }
}
