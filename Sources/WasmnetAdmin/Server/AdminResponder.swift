import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import WasmnetText

/// Where a request comes from.
struct AdminRequestContext: InitializableFromSource {
    let remote: String

    init(source: ApplicationRequestContextSource) {
        self.remote =
            source.channel.remoteAddress.map { address in
                "\(address.ipAddress ?? "?"):\(address.port.map(String.init) ?? "?")"
            } ?? "?"
    }
}

/// From a request to its answer: is it for us, which route, who asks, what, and then the route itself.
struct AdminResponder: HTTPResponder {
    typealias Context = AdminRequestContext

    let table: RouteTable
    let hostCheck: HostCheck
    let tokenCheck: TokenCheck
    let limits: AdminConfiguration.Limits
    let logger: Logger
    let audit: AuditHook

    func respond(to request: Request, context: Context) async throws -> Response {
        let isHead = request.method == .head
        do {
            let head = request.head
            let target = try RequestTarget(head.path ?? "")
            let match = self.table.match(request.method, target.segments)
            if !match.isProbe {
                try self.hostCheck.check(
                    authority: head.authority, origin: request.headers[.origin],
                    site: HTTPField.Name("Sec-Fetch-Site").flatMap { request.headers[$0] })
            }
            switch match {
            case .noPath: throw AdminError.notFound("there is nothing at this path")
            case .noMethod(let allowed): throw AdminError.methodNotAllowed(allowing: allowed)
            case .found(let route, let path):
                return await self.call(route, path, target, request, context).response(isHead: isHead)
            }
        } catch {
            return Reply.error(self.told(error)).response(isHead: isHead)
        }
    }

    /// Calls the route, and tells the audit of a change whatever came of it.
    private func call(
        _ route: Route, _ path: [String: String], _ target: RequestTarget, _ request: Request, _ context: Context
    ) async -> Reply {
        var reply: Reply
        var refusal: AdminError?
        var hasToken = false
        do {
            if route.access == .token {
                try self.tokenCheck.check(request.headers[.authorization])
                hasToken = self.tokenCheck.isNeeded
            }
            let query = try route.parameters.map { try Query(target.query(), known: $0) } ?? Query([], known: [])
            let body = try await self.body(of: request, for: route)
            let call = RouteCall(path: path, query: query, headers: request.headers, body: body)
            reply = try await withDeadline(self.limits.requestTime, orThrow: .tooSlow) { try await route.handle(call) }
        } catch {
            let error = self.told(error)
            refusal = error
            reply = .error(error)
        }
        if route.isChange {
            let named = path.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            self.audit(
                AuditRecord(
                    remote: context.remote, hasToken: hasToken, operation: route.operation,
                    subject: reply.subject ?? named, status: reply.status.code, refusal: refusal?.code))
        }
        return reply
    }

    private func body(of request: Request, for route: Route) async throws -> [UInt8] {
        guard route.body == .json else { return [] }
        let type = ByteText(request.headers[.contentType] ?? "").before(";").trimmed
        guard type.isEqual(ignoringCase: "application/json") else {
            throw AdminError(status: 415, code: "wrong_media_type", message: "the body is application/json")
        }
        let limit = self.limits.bodyBytes
        let length = request.headers[.contentLength].flatMap { Int($0) }
        if let length, length > limit { throw AdminError.bodyTooLarge }
        return try await withDeadline(self.limits.requestTime, orThrow: .bodyTooSlow) {
            var bytes: [UInt8] = []
            do {
                for try await part in request.body {
                    guard bytes.count + part.readableBytes <= limit else { throw AdminError.bodyTooLarge }
                    bytes.append(contentsOf: part.readableBytesView)
                }
            } catch let error as AdminError {
                throw error
            } catch {
                // Whatever ends a body before its end is the client's doing: chunks that are none, or a connection that is gone.
                throw AdminError.bodyBroken
            }
            return bytes
        }
    }

    /// What the caller is told of an error.
    private func told(_ error: any Error) -> AdminError {
        if let error = error as? AdminError { return error }
        self.logger.error("an admin request failed", metadata: ["error": "\(error)"])
        return .internalError
    }
}
