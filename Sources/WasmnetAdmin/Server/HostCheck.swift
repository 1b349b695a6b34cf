import WasmnetNet

/// Whether a request's `Host` and `Origin` show that it is meant for this server.
///
/// A page of any site can have its name resolve to 127.0.0.1 and then read what listens there (DNS rebinding); its requests have
/// that name as `Host`. A page of another site can also send a request blindly; it has an `Origin`.
struct HostCheck: Sendable {
    /// Nil: any host.
    private let allowed: Set<ByteText>?

    /// - Parameter isLoopback: whether only loopback's own names are accepted; elsewhere the token protects.
    init(isLoopback: Bool, allowedHosts: [String]) {
        self.allowed = isLoopback ? Set(allowedHosts.map { ByteText($0).lowercased }) : nil
    }

    /// - Parameters:
    ///   - authority: the `Host` field, `host` or `host:port`; nil: a request of HTTP/1.0 without one, which no browser sends.
    ///   - origin: the `Origin` field; nil if there is none.
    ///   - site: the `Sec-Fetch-Site` field (Fetch Metadata), which pages cannot forge.
    /// - Throws: ``AdminError`` 421 or 403.
    func check(authority: String?, origin: String?, site: String?) throws(AdminError) {
        let isNamed = authority != nil
        let authority = ByteText(authority ?? "").lowercased
        let host = Self.host(of: authority)
        if let allowed, isNamed, host.map({ Self.isLoopback($0) || allowed.contains($0) }) != true {
            throw AdminError(status: 421, code: "wrong_host", message: "this server does not answer for that Host")
        }
        guard origin != nil || site != nil else { return }
        let isForeign =
            origin.map { Self.authority(ofOrigin: $0) != authority } ?? false
            || site.map { $0 != "same-origin" && $0 != "none" } ?? false
        if isForeign {
            throw AdminError(
                status: 403, code: "cross_origin", message: "pages of other origins may not call this server")
        }
    }

    /// `localhost` and names below it (RFC 6761), 127.0.0.0/8 and ::1.
    static func isLoopback(_ host: ByteText) -> Bool {
        if host == "localhost" || host.ends(with: ".localhost") || host == "::1" || host == "[::1]" { return true }
        let parts = host.split(at: ".")
        return parts.count == 4 && parts.first == "127"
            && parts.allSatisfy { (1...3).contains($0.count) && $0.decimal(as: UInt8.self) != nil }
    }

    /// `host:port` or `[address]:port` without the port; nil for anything else (RFC 3986, section 3.2).
    private static func host(of authority: ByteText) -> ByteText? {
        guard let place = try? HostPort(authority),
            place.port?.isEmpty != false || place.portNumber(in: 0...65535) != nil
        else { return nil }
        return place.writtenHost
    }

    /// What follows the scheme; nil for `null`.
    private static func authority(ofOrigin origin: String) -> ByteText? {
        let origin = ByteText(origin).lowercased
        return origin.dropping(prefix: "http://") ?? origin.dropping(prefix: "https://")
    }
}
