import Logging
import NIOHTTP1
import WasmnetNet

/// A request that may be answered: its route, and its own data.
struct AdminRequest: Sendable {
    let route: Route
    let path: [String: String]
    let headers: HTTPHeaders
    /// `address:port`.
    let remote: String
    fileprivate(set) var query = Query([:])
    fileprivate(set) var hasToken = false

    /// Whether the route is called with the body.
    var takesBody: Bool { self.route.body == .json }
}

/// From a request to its answer: checks the host, the route, the token and the parameters, then calls the route.
struct AdminResponder: Sendable {
    let table: RouteTable
    let hostCheck: HostCheck
    let tokenCheck: TokenCheck
    let limits: AdminConfiguration.Limits
    let logger: Logger
    let audit: AuditHook

    /// Evaluates a request's head.
    ///
    /// - Throws: the error to answer instead, which is already audited.
    func admit(_ head: HTTPRequestHead, from remote: String) throws(AdminError) -> AdminRequest {
        let (route, path, target) = try self.route(of: head)
        var request = AdminRequest(route: route, path: path, headers: head.headers, remote: remote)
        do {
            if route.access == .token {
                try self.tokenCheck.check(head.headers.first(name: "Authorization"))
                request.hasToken = self.tokenCheck.isNeeded
            }
            if let parameters = route.parameters { request.query = try Query(target.query(), known: parameters) }
            if request.takesBody { try self.checkBody(head.headers) }
        } catch {
            throw self.refused(request, error)
        }
        return request
    }

    /// Calls the route, and audits a change whatever its result.
    func answer(_ request: AdminRequest, body: [UInt8]) async -> Reply {
        let call = RouteCall(path: request.path, query: request.query, headers: request.headers, body: body)
        do {
            let route = request.route
            let reply = try await withDeadline(self.limits.requestTime, orThrow: .tooSlow) {
                try await route.handle(call)
            }
            self.tellAudit(request, subject: reply.subject, status: Int(reply.status.code), refusal: nil)
            return reply
        } catch {
            return .error(self.refused(request, self.told(error)))
        }
    }

    /// Audits a change that is not made.
    func refused(_ request: AdminRequest, _ error: AdminError) -> AdminError {
        self.tellAudit(request, subject: nil, status: error.status, refusal: error.code)
        return error
    }

    private func route(of head: HTTPRequestHead) throws(AdminError) -> (Route, [String: String], RequestTarget) {
        // RFC 9112, section 3.2: one Host field, which only HTTP/1.0 may omit. A target in absolute form takes precedence (3.2.2); one that
        // is neither that nor a path names some other host.
        let hosts = head.headers["Host"]
        let absolute = AbsoluteTarget(head.uri)
        let isOurs = absolute != nil || ["/", "*"].contains { ByteText(head.uri).starts(with: $0) }
        guard hosts.count <= 1, hosts.count == 1 || head.version == .http1_0, isOurs else {
            throw .badRequest("bad_request", "a request has one Host field")
        }
        let target = try RequestTarget(absolute?.originForm ?? head.uri)
        let match = self.table.match(head.method, target.segments)
        if !match.isProbe {
            try self.hostCheck.check(
                authority: absolute?.authority ?? hosts.first, origin: head.headers.first(name: "Origin"),
                site: head.headers.first(name: "Sec-Fetch-Site"))
        }
        switch match {
        case .noPath: throw .notFound("there is nothing at this path")
        case .noMethod(let allowed): throw .methodNotAllowed(allowing: allowed)
        case .found(let route, let path): return (route, path, target)
        }
    }

    private func checkBody(_ headers: HTTPHeaders) throws(AdminError) {
        let type = ByteText(headers.first(name: "Content-Type") ?? "").before(";").trimmed
        guard type.isEqual(ignoringCase: "application/json") else {
            throw AdminError(status: 415, code: "wrong_media_type", message: "the body is application/json")
        }
        let length = headers.first(name: "Content-Length").flatMap { Int($0) }
        if let length, length > self.limits.bodyBytes { throw .bodyTooLarge }
    }

    private func tellAudit(_ request: AdminRequest, subject: String?, status: Int, refusal: String?) {
        guard request.route.isChange else { return }
        let named = request.path.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        self.audit(
            AuditRecord(
                remote: request.remote, hasToken: request.hasToken, operation: request.route.operation,
                subject: subject ?? named, status: status, refusal: refusal))
    }

    /// The error as disclosed to the caller.
    private func told(_ error: any Error) -> AdminError {
        if let error = error as? AdminError { return error }
        self.logger.error("an admin request failed", metadata: ["error": "\(error)"])
        return .internalError
    }
}
