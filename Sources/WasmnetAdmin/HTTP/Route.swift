import NIOHTTP1

/// One method on one path.
struct Route: Sendable {
    /// Who may call it.
    enum Access: Sendable {
        /// Probes, whatever `Host` they name: rebinding gains nothing from their answers. Parameters they add are ignored.
        case probe
        /// Anyone who reaches the port: documents without secrets.
        case open
        /// Anyone with the token, if there is one.
        case token
    }

    /// The kind of body it accepts.
    enum Body: Sendable {
        case none
        case json
    }

    let method: HTTPMethod
    let pattern: PathPattern
    /// Its name in the audit, and its operation in the OpenAPI document: `denylist.add`.
    let operation: String
    var access = Access.token
    /// Nil: any, and they are ignored.
    var parameters: [String]? = []
    var body = Body.none
    /// Whether an answered call is audited.
    var isChange: Bool { self.method != .GET }
    let handle: @Sendable (RouteCall) async throws -> Reply

    init(
        _ method: HTTPMethod, _ path: String, _ operation: String, access: Access = .token,
        parameters: [String]? = [], body: Body = .none, handle: @escaping @Sendable (RouteCall) async throws -> Reply
    ) {
        self.method = method
        self.pattern = PathPattern(path)
        self.operation = operation
        self.access = access
        self.parameters = parameters
        self.body = body
        self.handle = handle
    }
}

/// A path with placeholders for parameters, written as in OpenAPI: `/v1/sessions/{id}`.
struct PathPattern: Sendable, Hashable {
    let text: String
    private let segments: [Segment]

    private enum Segment: Sendable, Hashable {
        case literal(String)
        case parameter(String)
    }

    init(_ text: String) {
        self.text = text
        self.segments = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map { segment in
            segment.hasPrefix("{") && segment.hasSuffix("}")
                ? .parameter(String(segment.dropFirst().dropLast())) : .literal(String(segment))
        }
    }

    /// - Returns: the parameters, none of them empty; nil if the path does not match.
    func match(_ path: [String]) -> [String: String]? {
        guard path.count == self.segments.count else { return nil }
        var parameters: [String: String] = [:]
        for (segment, value) in zip(self.segments, path) {
            switch segment {
            case .literal(let literal): guard literal == value else { return nil }
            case .parameter(let name):
                guard !value.isEmpty else { return nil }
                parameters[name] = value
            }
        }
        return parameters
    }
}

/// The arguments of a route.
struct RouteCall: Sendable {
    /// By name, never empty.
    let path: [String: String]
    let query: Query
    let headers: HTTPHeaders
    /// Empty if the route accepts none.
    let body: [UInt8]

    func parameter(_ name: String) -> String { self.path[name] ?? "" }
}

/// All routes, and the matching of requests to them.
struct RouteTable: Sendable {
    let routes: [Route]

    enum Match {
        case found(Route, path: [String: String])
        case noPath
        /// The path exists, but not with this method.
        case noMethod([HTTPMethod])

        /// Whether it is a probe, which may name any `Host`.
        var isProbe: Bool { if case .found(let route, _) = self { route.access == .probe } else { false } }
    }

    /// HEAD is GET without its body (RFC 9110, 9.3.2).
    func match(_ method: HTTPMethod, _ path: [String]) -> Match {
        var allowed: [HTTPMethod] = []
        for route in self.routes {
            guard let parameters = route.pattern.match(path) else { continue }
            if route.method == method || route.method == .GET && method == .HEAD {
                return .found(route, path: parameters)
            }
            allowed += route.method == .GET ? [.GET, .HEAD] : [route.method]
        }
        return allowed.isEmpty ? .noPath : .noMethod(allowed)
    }
}
