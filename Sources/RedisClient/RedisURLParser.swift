import WasmnetNet

extension RedisURL {
    /// Parses a URL (the forms are listed at ``RedisURL``; the parts are those of RFC 3986).
    package init(_ text: String) throws(RedisURLError) {
        let parts = try Parts(text)
        usesTLS = parts.usesTLS
        credentials = try parts.credentials()
        switch parts.form {
        case .unix:
            guard parts.hosts.isEmpty, parts.path.count > 1 else {
                throw RedisURLError("write a unix socket as redis+unix:///path/of/the.sock")
            }
            guard !parts.usesTLS else { throw RedisURLError("a unix socket cannot use TLS") }
            topology = .single(.unixSocket(try percentDecoded(parts.path, "the path")))
            database = try parts.database(path: nil)
        case .single:
            let endpoints = try parts.endpoints(defaultPort: 6379)
            guard endpoints.count == 1, let endpoint = endpoints.first else {
                throw RedisURLError("several hosts need redis+sentinel:// or redis+cluster://")
            }
            topology = .single(endpoint)
            database = try parts.database(path: parts.inPath)
        case .sentinel:
            let name = parts.inPath.before("/")
            guard !name.isEmpty else {
                throw RedisURLError("the master's name is missing: redis+sentinel://host:port,host:port/name")
            }
            topology = .sentinel(
                try parts.endpoints(defaultPort: 26379), master: try percentDecoded(name, "the master's name"),
                credentials: try parts.sentinelCredentials())
            database = try parts.database(path: parts.inPath.cut(at: "/")?.after)
        case .cluster:
            topology = .cluster(try parts.endpoints(defaultPort: 6379))
            database = try parts.database(path: parts.inPath)
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
    let userInfo: ByteText?
    let hosts: ByteText
    /// From its slash on.
    let path: ByteText
    private let parameters: [ByteText: ByteText]

    /// Without the slash.
    var inPath: ByteText { self.path.dropping(prefix: "/") ?? self.path }

    init(_ text: String) throws(RedisURLError) {
        let text = ByteText(text)
        guard !text.hasControls else { throw RedisURLError("there is a control character in the URL") }
        guard let (scheme, behind) = text.cut(at: ":"), let rest = behind.dropping(prefix: "//") else {
            throw RedisURLError("the URL must start with a scheme such as redis://")
        }
        switch scheme.lowercased {
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
            throw RedisURLError("the scheme must be redis, rediss, redis+unix, redis+sentinel or redis+cluster")
        }
        guard !rest.has("#") else {
            throw RedisURLError("write a # in the password as %23; the URL takes no fragment")
        }
        let query = rest.cut(at: "?")?.after ?? ""
        let whole = rest.before("?")
        let authority = whole.before("/")
        path = whole.dropping(prefix: authority) ?? ""
        if let (user, servers) = authority.cutLast(at: "@") {
            userInfo = user
            hosts = servers
        } else {
            userInfo = nil
            hosts = authority
        }
        guard !path.has("@") && !query.has("@") else {
            throw RedisURLError("write / and ? in the user or password as %2F and %3F, and an @ elsewhere as %40")
        }
        parameters = try Self.parameters(query, form)
    }

    private static func parameters(_ query: ByteText, _ form: Form) throws(RedisURLError) -> [ByteText: ByteText] {
        let known = form == .sentinel ? ["db", "sentinel-user", "sentinel-password"] : ["db"]
        var parameters: [ByteText: ByteText] = [:]
        for pair in query.split(at: "&") where !pair.isEmpty {
            guard let (name, value) = pair.cut(at: "="), known.contains(where: { ByteText($0) == name }) else {
                throw RedisURLError("a parameter is unknown; these are known: \(known.joined(separator: ", "))")
            }
            guard parameters.updateValue(value, forKey: name) == nil else {
                throw RedisURLError("the parameter \(name.text) is given twice")
            }
        }
        return parameters
    }

    func credentials() throws(RedisURLError) -> RedisCredentials? {
        guard let userInfo, !userInfo.isEmpty else { return nil }
        guard let (name, secret) = userInfo.cut(at: ":") else {
            return RedisCredentials(password: try percentDecoded(userInfo, "the password"))
        }
        let user = try percentDecoded(name, "the user")
        let password = try percentDecoded(secret, "the password")
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

    func database(path: ByteText?) throws(RedisURLError) -> Int {
        let inPath = path.flatMap { $0.isEmpty ? nil : $0 }
        guard inPath == nil || parameters["db"] == nil else {
            throw RedisURLError("the database is given both in the path and in the parameter db")
        }
        guard let text = inPath ?? parameters["db"] else { return 0 }
        guard let number = text.decimal(as: UInt16.self) else {
            throw RedisURLError("the database is not a number from 0 to 65535")
        }
        return Int(number)
    }

    func endpoints(defaultPort: Int) throws(RedisURLError) -> [RedisEndpoint] {
        var endpoints: [RedisEndpoint] = []
        for host in hosts.split(at: ",") {
            endpoints.append(try Self.endpoint(host, defaultPort))
        }
        return endpoints
    }

    private static func endpoint(_ text: ByteText, _ defaultPort: Int) throws(RedisURLError) -> RedisEndpoint {
        let place: HostPort
        do {
            place = try HostPort(text)
        } catch {
            throw RedisURLError(error.rawValue)
        }
        guard !place.host.isEmpty else { throw RedisURLError("a host is missing") }
        guard place.port != nil else { return .host(place.host.text, port: defaultPort) }
        guard let port = place.portNumber() else { throw RedisURLError("a port is not a number from 1 to 65535") }
        return .host(place.host.text, port: Int(port))
    }
}

/// Decodes percent-encoding (RFC 3986, section 2.1).
private func percentDecoded(_ text: ByteText, _ what: String) throws(RedisURLError) -> String {
    guard let bytes = text.percentDecoded else {
        throw RedisURLError("a % in \(what) is not followed by two hexadecimal digits; write a % itself as %25")
    }
    guard let decoded = bytes.validText else { throw RedisURLError("\(what) is not UTF-8") }
    return decoded
}
