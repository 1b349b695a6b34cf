import NIOHTTP1
import Logging
package import NIOCore
import PrometheusMetrics

/// A document that the server gives as it is, such as a dashboard.
package struct AdminDocument: Sendable {
    /// `/`, `/dashboard.js`.
    package let path: String
    package let contentType: String
    package let bytes: ByteBuffer
    /// The `Content-Security-Policy` it is given with. Default: only what comes from this server, no scripts within the page.
    package let contentSecurityPolicy: String

    /// It is given to anybody who reaches the port, so it holds no secret: what it shows it asks for with the token.
    package init(
        path: String, contentType: String, bytes: ByteBuffer,
        contentSecurityPolicy: String =
            "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ) {
        self.path = path
        self.contentType = contentType
        self.bytes = bytes
        self.contentSecurityPolicy = contentSecurityPolicy
    }
}

/// Every route of the server. What each takes and gives is in `openapi.json`, which a test holds it to.
struct AdminRoutes: Sendable {
    let backend: any AdminBackend
    let registry: PrometheusRegistry
    let configuration: AdminConfiguration
    let eventSlots: EventSlots
    let logger: Logger

    func table(documents: [AdminDocument]) -> RouteTable {
        RouteTable(
            routes: self.health + self.sessions + self.denylist + self.quota + self.policy + self.node
                + documents.map(Self.route))
    }

    private static func route(_ document: AdminDocument) -> Route {
        Route(.GET, document.path, "document", access: .open) { _ in
            var reply = Reply(body: .bytes(document.bytes, type: document.contentType))
            reply.headers.add(name: "Content-Security-Policy", value: document.contentSecurityPolicy)
            return reply
        }
    }

    /// The document that describes all this.
    static let openAPI = PackageResources.openapi_json
}
