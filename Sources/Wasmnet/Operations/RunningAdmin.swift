import Logging
import NIOCore
import NIOPosix
import PrometheusMetrics
import WasmnetAdmin
import WasmnetCluster
import WasmnetNet
import WasmnetQuota
import WasmnetRelay

/// The running admin server, on an event loop without sessions of the node.
struct RunningAdmin: Sendable {
    let address: AdminServer.Address
    private let admin: AdminServer.Running
    private let helpers: Task<Void, Never>

    /// - Throws: ``ConfigurationError`` when its options are invalid, or it cannot listen.
    static func start(
        _ options: AdminOptions, of server: Server, registry: PrometheusRegistry, lag: LoopLag
    ) async throws -> RunningAdmin {
        let latencies = LatencyWindows(registry)
        let logger = server.configuration.logger
        do {
            let admin = try await AdminServer(
                AdminConfiguration(options),
                backend: NodeAdmin(
                    server: server, quotas: Self.quotas(of: server),
                    snapshots: Self.snapshots(of: server, registry, latencies, lag),
                    readyNeedsRedis: options.readyNeedsRedis),
                registry: registry, documents: Dashboard.documents,
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger, audit: logger.audit
            ).start()
            return RunningAdmin(
                address: admin.address, admin: admin, helpers: Task.detached { await latencies.run() })
        } catch let error as AdminConfigurationError {
            throw ConfigurationError("\(error)")
        } catch {
            throw StartError(listening: "the admin server", host: options.host, port: options.port, error)
        }
    }

    /// Stops it and its background tasks.
    func stop() async {
        self.helpers.cancel()
        await self.admin.stop()
        await self.helpers.value
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

/// For a ledger of neither kind: no client can be looked up.
private struct NoQuotaStore: QuotaStore {
    func report(ofKnown client: ClientID, limits: ClientLimits) async throws -> QuotaReport? { nil }
    func replace(with overrides: QuotaOverrides, for time: QuotaDuration, of client: ClientID) async throws {
        throw AdminError.unavailable("not_supported", "this node cannot set limits for a single client")
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
        HostPort.text(self.host, self.port)
    }
}
