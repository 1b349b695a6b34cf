import Hummingbird
import HummingbirdCore
package import Logging
package import NIOCore
package import PrometheusMetrics
import ServiceLifecycle

/// The operator's door to a node: metrics, health, the API of `openapi.json`, events and documents such as a dashboard, on a port
/// of its own.
///
/// ``run()`` listens until its task is cancelled or ServiceLifecycle shuts it down gracefully, which ends the events and lets
/// requests in progress finish.
package struct AdminServer: Service {
    /// Where it listens.
    package struct Address: Sendable, Hashable {
        package let host: String
        /// The real one, also where 0 was asked for.
        package let port: Int
    }

    private let configuration: AdminConfiguration
    private let responder: AdminResponder
    private let eventLoopGroup: any EventLoopGroup
    private let logger: Logger
    private let onListening: @Sendable (Address) async -> Void

    /// - Parameters:
    ///   - backend: the node.
    ///   - registry: what `/metrics` exposes.
    ///   - documents: what is given as it is; none by default.
    ///   - eventLoopGroup: best one that no session is on.
    ///   - audit: told of each change; by default a line of the log each.
    ///   - onListening: called once it takes connections.
    /// - Throws: ``AdminConfigurationError``, as where it needs a token and has none.
    package init(
        _ configuration: AdminConfiguration, backend: any AdminBackend, registry: PrometheusRegistry,
        documents: [AdminDocument] = [], eventLoopGroup: any EventLoopGroup, logger: Logger, audit: AuditHook? = nil,
        onListening: @escaping @Sendable (Address) async -> Void = { _ in }
    ) throws(AdminConfigurationError) {
        try configuration.validate()
        self.configuration = configuration
        let routes = AdminRoutes(
            backend: backend, registry: registry, configuration: configuration,
            eventSlots: EventSlots(configuration.limits.eventClients), logger: logger)
        self.responder = AdminResponder(
            table: routes.table(documents: documents),
            hostCheck: HostCheck(isLoopback: configuration.isLoopback, allowedHosts: configuration.allowedHosts),
            tokenCheck: TokenCheck(configuration.token), limits: configuration.limits, logger: logger,
            audit: audit ?? logger.audit)
        self.eventLoopGroup = eventLoopGroup
        self.logger = logger
        self.onListening = onListening
    }

    /// Every route as `METHOD /path/{parameter}`, documents aside.
    package var routes: [String] {
        self.responder.table.routes.filter { $0.operation != "document" }
            .map { "\($0.method.rawValue) \($0.pattern.text)" }
    }

    package func run() async throws {
        let limits = self.configuration.limits
        let cap = ConnectionCap(limits.connections)
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(limits, cap: cap)],
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes, maxHeaderFieldCount: 100)
        )
        let application = Application(
            responder: self.responder,
            server: .http1(configuration: channel),
            configuration: ApplicationConfiguration(
                address: .hostname(self.configuration.host, port: self.configuration.port)),
            onServerRunning: { channel in
                let address = channel.localAddress
                let listening = Address(host: address?.ipAddress ?? self.configuration.host, port: address?.port ?? 0)
                await self.onListening(listening)
            },
            eventLoopGroupProvider: .shared(self.eventLoopGroup), logger: self.logger)
        try await application.run()
    }
}
