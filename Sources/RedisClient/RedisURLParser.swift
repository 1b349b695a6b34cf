extension RedisURL {
    /// Reads a URL (the forms are listed at ``RedisURL``; the parts are those of RFC 3986).
    package init(_ text: String) throws(RedisURLError) {
        let parts = try Parts(text)
        usesTLS = parts.usesTLS
        credentials = try parts.credentials()
        switch parts.form {
        case .unix:
            guard parts.hosts.isEmpty, parts.path.count > 1 else {
                throw RedisURLError("a unix socket is written redis+unix:///path/of/the.sock")
            }
            guard !parts.usesTLS else { throw RedisURLError("TLS does not go over a unix socket") }
            topology = .single(.unixSocket(try percentDecoded(parts.path, "the path")))
            database = try parts.database(path: nil)
        case .single:
            let endpoints = try parts.endpoints(defaultPort: 6379)
            guard endpoints.count == 1, let endpoint = endpoints.first else {
                throw RedisURLError("several hosts need redis+sentinel:// or redis+cluster://")
            }
            topology = .single(endpoint)
            database = try parts.database(path: parts.path.dropFirst())
        case .sentinel:
            let path = parts.path.dropFirst().split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = path.first, !name.isEmpty else {
                throw RedisURLError("the master's name is missing: redis+sentinel://host:port,host:port/name")
            }
            topology = .sentinel(
                try parts.endpoints(defaultPort: 26379), master: try percentDecoded(name, "the master's name"),
                credentials: try parts.sentinelCredentials())
            database = try parts.database(path: path.count > 1 ? path[1] : nil)
        case .cluster:
            topology = .cluster(try parts.endpoints(defaultPort: 6379))
            database = try parts.database(path: parts.path.dropFirst())
            guard database == 0 else { throw RedisURLError("a Redis Cluster has only database 0") }
        }
    }
}

/// A URL cut at its separators.
private struct Parts {
    enum Form {
        case single, unix, sentinel, cluster
    }

    let form: Form
    let usesTLS: Bool
    let userInfo: Substring?
    let hosts: Substring
    let path: Substring
    private let parameters: [Substring: Substring]

    init(_ text: String) throws(RedisURLError) {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
            throw RedisURLError("the URL starts with no scheme such as redis://")
        }
        switch text[..<colon].lowercased() {
        case "redis": (form, usesTLS) = (.single, false)
        case "rediss": (form, usesTLS) = (.single, true)
        case "unix", "redis+unix": (form, usesTLS) = (.unix, false)
        case "rediss+unix": (form, usesTLS) = (.unix, true)
        case "redis+sentinel": (form, usesTLS) = (.sentinel, false)
        case "rediss+sentinel": (form, usesTLS) = (.sentinel, true)
        case "redis+cluster": (form, usesTLS) = (.cluster, false)
        case "rediss+cluster": (form, usesTLS) = (.cluster, true)
        default:
            // The text before the colon may be a password when the scheme was left out, so it is not shown.
            throw RedisURLError("the scheme is none of redis, rediss, redis+unix, redis+sentinel, redis+cluster")
        }
        var rest = text[colon...].dropFirst(3)
        guard !rest.contains("#") else {
            throw RedisURLError("a # in the password is written %23; a fragment has no meaning here")
        }
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") {
            query = rest[mark...].dropFirst()
            rest = rest[..<mark]
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        path = rest[slash...]
        let authority = rest[..<slash]
        if let at = authority.lastIndex(of: "@") {
            userInfo = authority[..<at]
            hosts = authority[at...].dropFirst()
        } else {
            userInfo = nil
            hosts = authority
        }
        guard !path.contains("@") && !query.contains("@") else {
            throw RedisURLError("a / or ? in the user or password is written %2F or %3F, an @ elsewhere %40")
        }
        parameters = try Self.parameters(query, form)
    }

    private static func parameters(_ query: Substring, _ form: Form) throws(RedisURLError) -> [Substring: Substring] {
        let known: [Substring] = form == .sentinel ? ["db", "sentinel-user", "sentinel-password"] : ["db"]
        var parameters: [Substring: Substring] = [:]
        for pair in query.split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, known.contains(halves[0]) else {
                throw RedisURLError("a parameter is none of \(known.joined(separator: ", "))")
            }
            guard parameters.updateValue(halves[1], forKey: halves[0]) == nil else {
                throw RedisURLError("the parameter \(halves[0]) stands twice")
            }
        }
        return parameters
    }

    func credentials() throws(RedisURLError) -> RedisCredentials? {
        guard let userInfo, !userInfo.isEmpty else { return nil }
        guard let colon = userInfo.firstIndex(of: ":") else {
            return RedisCredentials(password: try percentDecoded(userInfo, "the password"))
        }
        let user = try percentDecoded(userInfo[..<colon], "the user")
        let password = try percentDecoded(userInfo[colon...].dropFirst(), "the password")
        guard !password.isEmpty else { throw RedisURLError("a user without a password") }
        return RedisCredentials(username: user.isEmpty ? nil : user, password: password)
    }

    func sentinelCredentials() throws(RedisURLError) -> RedisCredentials? {
        guard let password = parameters["sentinel-password"] else {
            guard parameters["sentinel-user"] == nil else {
                throw RedisURLError("sentinel-user without sentinel-password")
            }
            return nil
        }
        let user = try parameters["sentinel-user"].map { text throws(RedisURLError) in
            try percentDecoded(text, "sentinel-user")
        }
        return RedisCredentials(username: user, password: try percentDecoded(password, "sentinel-password"))
    }

    func database(path: Substring?) throws(RedisURLError) -> Int {
        let inPath = path.flatMap { $0.isEmpty ? nil : $0 }
        guard inPath == nil || parameters["db"] == nil else {
            throw RedisURLError("the database stands in the path and in the parameter db")
        }
        guard let text = inPath ?? parameters["db"] else { return 0 }
        guard text.allSatisfy(\.isASCII), let number = UInt16(text) else {
            throw RedisURLError("the database is no number from 0 to 65535")
        }
        return Int(number)
    }

    func endpoints(defaultPort: Int) throws(RedisURLError) -> [RedisEndpoint] {
        var endpoints: [RedisEndpoint] = []
        for host in hosts.split(separator: ",", omittingEmptySubsequences: false) {
            endpoints.append(try Self.endpoint(host, defaultPort))
        }
        return endpoints
    }

    private static func endpoint(_ text: Substring, _ defaultPort: Int) throws(RedisURLError) -> RedisEndpoint {
        var host = text
        var port: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw RedisURLError("a [ without its ]") }
            host = text[..<end].dropFirst()
            let rest = text[end...].dropFirst()
            guard rest.isEmpty || rest.hasPrefix(":") else { throw RedisURLError("only a port may follow a ]") }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[colon...].dropFirst()
            guard port?.contains(":") == false else { throw RedisURLError("an IPv6 address stands in brackets") }
        }
        guard !host.isEmpty else { throw RedisURLError("a host is missing") }
        guard let port else { return .host(String(host), port: defaultPort) }
        guard let number = UInt16(port), number > 0 else {
            throw RedisURLError("a port is no number from 1 to 65535")
        }
        return .host(String(host), port: Int(number))
    }
}

/// Undoes the escapes of RFC 3986, section 2.1.
private func percentDecoded(_ text: Substring, _ what: String) throws(RedisURLError) -> String {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else {
            throw RedisURLError("a % in \(what) is followed by no two hexadecimal digits; a % itself is written %25")
        }
        bytes.append(high << 4 | low)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self) else {
        throw RedisURLError("\(what) is no UTF-8")
    }
    return decoded
}

private func hexValue(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
