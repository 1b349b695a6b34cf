import Logging
import NIOCore
import NIOPosix
import PrometheusMetrics
import ServiceLifecycle
import WasmnetAdmin
import WasmnetCluster
import WasmnetQuota
import WasmnetRelay

/// The admin server while it runs, on an event loop that no session of the node is on. The loop is the process' own: Hummingbird may still
/// close its listener after it has ended, which needs a loop that lives.
struct RunningAdmin: Sendable {
    let address: AdminServer.Address
    private let services: ServiceGroup
    private let task: Task<Void, any Error>
    private let helpers: Task<Void, Never>

    /// - Throws: ``ConfigurationError`` when its options cannot be, or it cannot listen.
    static func start(
        _ options: AdminOptions, of server: Server, registry: PrometheusRegistry, lag: LoopLag
    ) async throws -> RunningAdmin {
        let group = MultiThreadedEventLoopGroup.singleton
        let latencies = LatencyWindows(registry)
        let listening = OneShot<AdminServer.Address?>(on: group.any())
        do {
            let admin = try AdminServer(
                AdminConfiguration(options),
                backend: NodeAdmin(
                    server: server, quotas: Self.quotas(of: server),
                    snapshots: Self.snapshots(of: server, registry, latencies, lag),
                    readyNeedsRedis: options.readyNeedsRedis),
                registry: registry, documents: Dashboard.documents, eventLoopGroup: group,
                logger: Self.quiet(server.configuration.logger), audit: server.configuration.logger.audit,
                onListening: { listening.succeed($0) })
            let services = ServiceGroup(
                services: [admin], logger: Logger(label: "wasmnet.admin") { _ in SwiftLogNoOpLogHandler() })
            // Detached, so that a graceful shutdown of the whole does not reach it: it tells of the drain to its end.
            let task = Task.detached {
                defer { listening.succeed(nil) }
                try await services.run()
            }
            guard let address = await listening.wait() ?? nil else {
                // It has ended, so this throws.
                try await task.value
                throw ConfigurationError("the admin server ended at once")
            }
            return RunningAdmin(
                address: address, services: services, task: task, helpers: Task.detached { await latencies.run() })
        } catch {
            listening.succeed(nil)
            if error is ConfigurationError { throw error }
            guard error is IOError || error is SocketAddressError.UnknownHost else {
                throw ConfigurationError("\(error)")
            }
            throw StartError(listening: "the admin server", host: options.host, port: options.port, error)
        }
    }

    /// Ends it and what runs beside it.
    func stop() async {
        self.helpers.cancel()
        await self.services.triggerGracefulShutdown()
        _ = await self.task.result
        await self.helpers.value
    }

    /// Warnings and worse: what the HTTP library tells of its life nobody needs.
    private static func quiet(_ logger: Logger) -> Logger {
        Logger(label: logger.label) { _ in WarningsOnly(logger.handler) }
    }

    private static func quotas(of server: Server) -> any QuotaStore {
        if let member = server.member { return RedisQuotaStore(member: member) }
        if let ledger = server.environment.ledger as? InProcessLedger {
            return InProcessQuotaStore(ledger: ledger) { server.entry(id: "") }
        }
        return NoQuotaStore()
    }

    private static func snapshots(
        of server: Server, _ registry: PrometheusRegistry, _ latencies: LatencyWindows, _ lag: LoopLag
    ) -> DashboardSnapshots {
        let inView = server.member.map { member in
            NodesInView(member.registry) { server.environment.clock.uptimeNanoseconds() }
        }
        return DashboardSnapshots(
            registry: registry, latencies: latencies, lag: lag, nodeName: server.environment.nodeName
        ) {
            guard let inView else { return [NodeSnapshot.Node(server.entry(id: ""))] }
            return await inView.nodes().map(NodeSnapshot.Node.init)
        }
    }
}

/// Of a ledger that is neither kind: nobody can be looked up.
private struct NoQuotaStore: QuotaStore {
    func report(ofKnown client: ClientID, limits: ClientLimits) async throws -> QuotaReport? { nil }
    func replace(with overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws {
        throw AdminError.unavailable("not_supported", "this ledger takes no limits of a client's own")
    }
    func clear(_ client: ClientID) async throws -> Bool { false }
}

extension NodeSnapshot.Node {
    init(_ entry: NodeEntry) {
        self.init(
            name: entry.name, sessions: entry.sessions, sockets: entry.sockets,
            denylistVersion: UInt64(max(0, entry.denylistVersion)), isDraining: entry.state == .draining)
    }
}

extension AdminConfiguration {
    init(_ options: AdminOptions) {
        self.init(host: options.host, port: options.port, token: options.token)
        self.metricsNeedToken = options.metricsNeedToken
        self.allowedHosts = options.allowedHosts
    }
}

extension AdminServer.Address {
    /// `host:port`
    var text: String {
        self.host.utf8.contains(UInt8(ascii: ":")) ? "[\(self.host)]:\(self.port)" : "\(self.host):\(self.port)"
    }
}
