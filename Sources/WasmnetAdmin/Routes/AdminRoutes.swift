import NIOHTTP1
import Logging
package import NIOCore
import PrometheusMetrics

/// A static document of the server, such as a dashboard.
package struct AdminDocument: Sendable {
    /// `/`, `/dashboard.js`.
    package let path: String
    package let contentType: String
    package let bytes: ByteBuffer
    /// Its `Content-Security-Policy`. Default: only resources from this server, no inline scripts.
    package let contentSecurityPolicy: String

    /// It is served to anyone who reaches the port, so it contains no secret: it requests what it shows with the token.
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

/// Every route of the server. Their inputs and outputs are described in `openapi.json`, which a test checks.
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
