package import Logging
package import NIOCore
import NIOHTTP1
import NIOPosix
package import PrometheusMetrics
import WasmnetNet

/// The operator's HTTP server of a node: metrics, health, the API of `openapi.json`, events and documents such as a dashboard, on a
/// separate port.
package struct AdminServer: Sendable {
    /// The address it listens on.
    package struct Address: Sendable, Hashable {
        package let host: String
        /// The actual one, even if 0 was requested.
        package let port: Int
    }

    private let configuration: AdminConfiguration
    private let responder: AdminResponder
    private let eventLoopGroup: any EventLoopGroup

    /// - Parameters:
    ///   - backend: the node.
    ///   - registry: what `/metrics` exposes.
    ///   - documents: static documents; none by default.
    ///   - eventLoopGroup: preferably one without sessions.
    ///   - audit: called with each change; by default a line of the log each.
    /// - Throws: ``AdminConfigurationError``, for example if it needs a token and has none.
    package init(
        _ configuration: AdminConfiguration, backend: any AdminBackend, registry: PrometheusRegistry,
        documents: [AdminDocument] = [], eventLoopGroup: any EventLoopGroup, logger: Logger, audit: AuditHook? = nil
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
    }

    /// Every route as `METHOD /path/{parameter}`, documents aside.
    package var routes: [String] {
        self.responder.table.routes.filter { $0.operation != "document" }
            .map { "\($0.method.rawValue) \($0.pattern.text)" }
    }

    /// Listens.
    ///
    /// - Throws: what `bind` throws: an `IOError`, or `SocketAddressError.UnknownHost`.
    package func start() async throws -> Running {
        let cap = ConnectionCap(self.configuration.limits.connections)
        let (limits, responder) = (self.configuration.limits, self.responder)
        let listener = try await ServerBootstrap(group: self.eventLoopGroup)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            // A client may close its half after its request.
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try Self.configure(channel, limits: limits, cap: cap, responder: responder)
                }
            }
            .bind(host: self.configuration.host, port: self.configuration.port).get()
        let address = Address(
            host: listener.localAddress?.ipAddress ?? self.configuration.host, port: listener.localAddress?.port ?? 0)
        return Running(
            address: address, listener: listener, cap: cap, patience: limits.requestTime + limits.stalledTime)
    }

    private static func configure(
        _ channel: any Channel, limits: AdminConfiguration.Limits, cap: ConnectionCap, responder: AdminResponder
    ) throws {
        var decoding = NIOHTTPDecoderLimitConfiguration()
        decoding.maxHeaderFieldSize = limits.headerBytes
        decoding.maxHeaderListSize = limits.headerBytes
        decoding.maxHeaderFieldCount = 100
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTPResponseEncoder())
        try pipeline.addHandler(
            ByteToMessageHandler(
                HTTPRequestDecoder(limitConfiguration: decoding),
                maximumBufferSize: max(2 * limits.headerBytes, 1 << 16)))
        // One request at a time.
        try pipeline.addHandler(HTTPServerPipelineHandler())
        try pipeline.addHandler(ConnectionGuard(limits, cap: cap))
        try pipeline.addHandler(RequestHandler(responder))
    }

    /// A server that listens.
    package struct Running: Sendable {
        package let address: Address
        fileprivate let listener: any Channel
        fileprivate let cap: ConnectionCap
        fileprivate let patience: Duration

        /// Accepts no more connections, ends the events, lets requests in progress finish, and returns when all connections have ended: at
        /// the latest after the time limits of a request and of a client that reads nothing.
        package func stop() async {
            try? await self.listener.close()
            let cutter = Task { [cap, patience] in
                try await Task.sleep(for: patience)
                cap.cut()
            }
            await self.cap.drain()
            cutter.cancel()
        }
    }
}
