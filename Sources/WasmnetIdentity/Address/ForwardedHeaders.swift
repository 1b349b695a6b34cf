package import NIOHTTP1
import WasmnetRelay
package import WasmnetNet

/// One hop of a request, as recorded by a proxy.
package enum ForwardedHop: Equatable, Sendable {
    case address(IPAddress)
    /// `unknown`, an obfuscated name (RFC 7239, section 6.3), or an invalid address: its identity is unknown.
    case hidden
}

/// The hops in a request's headers, the nearest to this node last.
package enum ForwardedHeaders {
    /// The most hops examined, counted from the nearest.
    package static let maxHops = 32
    /// The most bytes of all lines of `Forwarded`. (Those of `X-Forwarded-For` are read from the right, and are bounded like
    /// all headers.)
    package static let maxBytes = 8192

    /// `X-Forwarded-For`: comma-separated addresses, over all its lines in order; IPv6 with or without brackets, any with or without a
    /// port. Empty elements are ignored (RFC 9110, section 5.6.1.2). Nil when there is none.
    package static func xForwardedFor(_ headers: HTTPHeaders) -> [ForwardedHop]? {
        let lines = headers["X-Forwarded-For"]
        guard !lines.isEmpty else { return nil }
        var hops: [ForwardedHop] = []
        // From the right, since everything left of the first untrusted hop is its own text.
        for line in lines.reversed() {
            for part in ByteText(line).list().reversed() {
                guard hops.count < self.maxHops else { return hops.reversed() }
                hops.append(self.hop(part))
            }
        }
        return hops.reversed()
    }

    /// `Forwarded` (RFC 7239): the `for` of each element. Nil when there is none.
    ///
    /// - Throws: ``Malformed`` for text outside the grammar of section 4: the ends of its elements are unknown.
    package static func forwarded(_ headers: HTTPHeaders) throws(Malformed) -> [ForwardedHop]? {
        let lines = headers["Forwarded"]
        guard !lines.isEmpty else { return nil }
        guard lines.reduce(0, { $0 + $1.utf8.count }) <= self.maxBytes else { throw Malformed() }
        var hops: [ForwardedHop] = []
        for line in lines { hops += try self.elements(line) }
        return Array(hops.suffix(self.maxHops))
    }

    package struct Malformed: Error {}

    // MARK: RFC 7239

    private static func elements(_ line: String) throws(Malformed) -> [ForwardedHop] {
        var scanner = ForwardedScanner(line)
        var hops: [ForwardedHop] = []
        while true {
            var node: ByteText?
            var isEmpty = true
            while let pair = try scanner.pair() {
                isEmpty = false
                if pair.name == "for" {
                    // A parameter occurs once in an element (section 4).
                    guard node == nil else { throw Malformed() }
                    node = pair.value
                }
                guard scanner.take(";") else { break }
            }
            // An empty element is ignored; one without `for` is a hop that hides its client.
            if !isEmpty { hops.append(node.map(self.hop) ?? .hidden) }
            if scanner.isAtEnd { return hops }
            guard scanner.take(",") else { throw Malformed() }
        }
    }

    // MARK: Nodes

    /// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`, `[2001:db8::1]:_port`.
    private static func hop(_ node: ByteText) -> ForwardedHop {
        if let address = IPAddress(node.text) { return .address(address.withoutV4Mapping) }
        guard let (host, port) = node.cutLast(at: ":"), self.isPort(port), !host.has(":") || host.starts(with: "["),
            let address = IPAddress(host.text)
        else { return .hidden }
        return .address(address.withoutV4Mapping)
    }

    /// One to five digits, or an obfuscated port.
    private static func isPort(_ text: ByteText) -> Bool {
        if text.starts(with: "_") { return text.count > 1 }
        return (1...5).contains(text.count) && text.bytes.allSatisfy { (0x30...0x39).contains($0) }
    }
}
