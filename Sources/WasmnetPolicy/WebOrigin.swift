import WasmnetNet

/// A page's origin, in the one form in which browsers write it (RFC 6454, section 6.2; the URL standard's host serializer).
package struct WebOrigin: Hashable, Sendable {
    /// `https://page.example`, `http://localhost:8080`: lower case, without the scheme's own port.
    package let text: String

    /// - Throws: with a description, for anything that no browser sends as `Origin`.
    package init(_ written: String) throws(DestinationError) {
        let written = ByteText(written)
        guard let colon = written.cut(at: ":"), let authority = colon.after.dropping(prefix: "//") else {
            throw DestinationError("an origin is https://host[:port] or http://host[:port]")
        }
        let scheme = colon.before.lowercased
        guard scheme == "https" || scheme == "http" else {
            throw DestinationError("a page's origin begins with https:// or http://")
        }
        guard !authority.bytes.contains(where: { "/?#".utf8.contains($0) }) else {
            throw DestinationError("an origin has nothing after its host and port, not even a slash")
        }
        guard !authority.has("@"), !authority.has("*") else {
            throw DestinationError("an origin has neither a user nor a wildcard in it")
        }
        let (host, port) = try Self.parts(authority)
        let isUsual = port == (scheme == "https" ? 443 : 80)
        self.text = "\(scheme.text)://\(host)" + (port.map { isUsual ? "" : ":\($0)" } ?? "")
    }

    private static func parts(_ authority: ByteText) throws(DestinationError) -> (String, UInt16?) {
        let place: HostPort
        do {
            place = try HostPort(authority)
        } catch {
            throw DestinationError(error.rawValue)
        }
        let host: String
        if place.isInBrackets {
            guard let address = IPAddress(place.host.text), !address.isIPv4 else {
                throw DestinationError("there is no IPv6 address in the brackets")
            }
            host = "[\(address.inURLs)]"
        } else {
            host = try self.host(place.host)
        }
        guard place.port != nil else { return (host, nil) }
        guard let port = place.portNumber() else { throw DestinationError("its port is a number from 1 to 65535") }
        return (host, port)
    }

    private static func host(_ written: ByteText) throws(DestinationError) -> String {
        switch try Destination(parsing: written.text) {
        case .address(let address): return address.description
        // Browsers keep a trailing dot.
        case .name(let name): return name.text + (written.ends(with: ".") ? "." : "")
        }
    }
}

extension IPAddress {
    /// As the URL standard writes IPv6: like RFC 5952, but with an embedded IPv4 address in hexadecimal as well.
    fileprivate var inURLs: String {
        guard self.isMapped else { return self.description }
        let low = UInt32(truncatingIfNeeded: self.low)
        return "::ffff:\(String(low >> 16, radix: 16)):\(String(low & 0xFFFF, radix: 16))"
    }
}
