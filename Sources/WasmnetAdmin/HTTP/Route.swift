import NIOHTTP1

/// One method on one path.
struct Route: Sendable {
    /// Who may call it.
    enum Access: Sendable {
        /// Probes, whatever `Host` they name: their answers are worth no rebinding. Parameters they add are ignored.
        case probe
        /// Anybody who reaches the port: documents without secrets.
        case open
        /// Whoever has the token, where there is one.
        case token
    }

    /// What kind of body it takes.
    enum Body: Sendable {
        case none
        case json
    }

    let method: HTTPMethod
    let pattern: PathPattern
    /// What the audit calls it, and the OpenAPI document its operation: `denylist.add`.
    let operation: String
    var access = Access.token
    /// Nil: any, and none is looked at.
    var parameters: [String]? = []
    var body = Body.none
    /// Whether an answered call goes to the audit.
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

/// A path with places for parameters, written as OpenAPI does: `/v1/sessions/{id}`.
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

    /// - Returns: the parameters, none of them empty; nil where the path is another.
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

/// What a route is called with.
struct RouteCall: Sendable {
    /// By name, never empty.
    let path: [String: String]
    let query: Query
    let headers: HTTPHeaders
    /// Empty where the route takes none.
    let body: [UInt8]

    func parameter(_ name: String) -> String { self.path[name] ?? "" }
}

/// Every route, and which of them a request means.
struct RouteTable: Sendable {
    let routes: [Route]

    enum Match {
        case found(Route, path: [String: String])
        case noPath
        /// The path is there, the method is not.
        case noMethod([HTTPMethod])

        /// Whether it is a probe's, which may name any `Host`.
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
