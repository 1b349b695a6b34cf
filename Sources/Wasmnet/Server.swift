import CoreMetrics
import Foundation
import Logging
public import NIOCore
import NIOPosix
import NIOSSL
import PrometheusMetrics
import RedisClient
public import ServiceLifecycle
import Tracing
import WasmnetAdmin
package import WasmnetCluster
public import WasmnetPolicy
import WasmnetQuota
package import WasmnetRelay
import WasmnetNet

/// A wasmnet node: WebSockets in; TCP, TLS, UDP and DNS out, under a policy.
///
/// ``listen(onListening:)`` runs until the task is cancelled, which ends every session at once, or until ServiceLifecycle shuts it
/// down gracefully, which lets live sockets run until the drain timeout.
public final class Server: Service, Sendable {
    /// The configuration of the server.
    public let configuration: ServerConfiguration
    package let environment: RelayEnvironment
    let admission: any Admission
    /// Counters of admission events.
    package let admissionCounters = AdmissionCounters()
    private let resolver: SystemResolver
    private let ownEndpoints: OwnEndpoints
    private let connections = OpenConnections()
    private struct State: Sendable {
        /// The address it listens on.
        var address: String?
        var adminAddress: String?
        var stop: StopSignal?
        /// When the drain ends what is left, in monotonic nanoseconds; nil without a drain.
        var drainEnds: Int64?
        /// Milliseconds since the Unix epoch.
        let startedAt = MachineClock.wall().milliseconds
        /// Monotonic nanoseconds.
        let started = MachineClock.uptimeNanoseconds()
    }
    private let state = Guarded(State())
    /// Nil without Redis.
    let member: ClusterMember?
    let denylist: DenylistService
    let policies: PolicyReloader
    private let metrics: NodeMetrics
    private let factory: any MetricsFactory
    private let lag: LoopLag
    private let sampler: MetricsSampler
    /// The registry behind `/metrics`; nil without the admin server.
    let prometheus: PrometheusRegistry?
    private let pages: StaticPages

    /// - Throws: ``ConfigurationError``.
    public init(configuration: ServerConfiguration) throws {
        guard (0...65_535).contains(configuration.port) else {
            throw ConfigurationError("a port is 0 to 65535, not \(configuration.port)")
        }
        guard (0...1024).contains(configuration.threads) else {
            throw ConfigurationError("threads must be 0 to 1024, not \(configuration.threads)")
        }
        guard configuration.drainTimeoutSeconds >= 0, configuration.drainTimeoutSeconds <= 86_400 else {
            throw ConfigurationError(
                "the drain timeout is 0 to 86400 seconds, not \(configuration.drainTimeoutSeconds)")
        }
        if let time = configuration.redis?.timeoutMilliseconds, !RedisOptions.timeouts.contains(time) {
            throw ConfigurationError("the time for an answer of Redis is 10 to 1000 ms, not \(time)")
        }
        if let time = configuration.redis?.outageSeconds, !RedisOptions.outages.contains(time) {
            throw ConfigurationError("the time after which Redis is out of reach is 1 to 60 s, not \(time)")
        }
        let problems = configuration.settings.problems + configuration.policy.problems
        guard problems.isEmpty else { throw ConfigurationError(problems.joined(separator: "\n")) }
        self.configuration = configuration
        self.resolver = SystemResolver()
        let ownEndpoints = OwnEndpoints(resolver: self.resolver)
        self.ownEndpoints = ownEndpoints
        guard (0...1).contains(configuration.accessLogSample) else {
            throw ConfigurationError("the access log's sample is 0 to 1, not \(configuration.accessLogSample)")
        }
        self.pages = try configuration.clientDirectory.map(ClientPages.load) ?? StaticPages()
        let demands: IdentityDemands
        (self.admission, demands) = try ClientIdentity.admission(configuration, counters: self.admissionCounters)
        let clock = configuration.clock ?? SystemClock()
        let registry = SessionRegistry()
        let (prometheus, factory) = try NodeBackends.make(configuration)
        let metrics = NodeMetrics(factory)
        (self.prometheus, self.factory, self.metrics) = (prometheus, factory, metrics)
        self.lag = LoopLag(metrics.loopLag)
        let member = try configuration.redis.map { (options) throws(ConfigurationError) in
            try ClusterMember(
                options, policy: configuration.policy, clock: clock, registry: registry, logger: configuration.logger
            ) {
                metrics.redis.recordNanoseconds($0.nanoseconds)
            } serverFound: {
                ownEndpoints.add(found: $0)
            }
        }
        self.member = member
        let denylist = DenylistService(member, clock: clock, logger: configuration.logger)
        self.denylist = denylist
        let shadow = try configuration.shadowPolicyFile.map { (path) throws(ConfigurationError) in
            try ServerConfiguration.PolicySource(path: path).load()
        }
        let accessLog = AccessLog(
            logger: configuration.logger, sample: configuration.accessLogSample, clock: clock.now)
        do {
            self.environment = try RelayEnvironment(
                settings: configuration.settings, policy: configuration.policy, shadowPolicy: shadow,
                denylist: { denylist.inForce.view }, ledger: member?.ledger ?? InProcessLedger(clock: clock.now),
                resolver: configuration.resolver ?? self.resolver,
                observer: NodeObserver(
                    metrics: metrics, accessLog: accessLog,
                    traces: SocketTraces(configuration.tracer ?? InstrumentationSystem.tracer)),
                logger: configuration.logger,
                clock: clock, nodeName: configuration.nodeName, version: WasmnetVersion.current,
                extraAuthorities: configuration.extraAuthorities, registry: registry)
        } catch {
            throw ConfigurationError(
                "a certificate authority could not be read from \(configuration.extraAuthorities): \(error)")
        }
        ownEndpoints.protect(in: self.environment)
        ownEndpoints.add(configured: member?.redis.url.endpoints ?? [])
        ownEndpoints.add(port: configuration.port)
        ownEndpoints.add(port: configuration.admin?.port)
        denylist.enforce(in: self.environment)
        self.policies = PolicyReloader(
            configuration, environment: self.environment, demands: demands, metrics: metrics
        ) { member?.apply($0) }
        self.sampler = MetricsSampler(
            .init(
                denylist: denylist, policy: self.policies, admissions: self.admissionCounters,
                pending: self.environment.pending,
                isDraining: { [state] in state.withLock { $0.drainEnds != nil } }, accessLog: accessLog,
                member: member),
            factory: factory)
    }

    /// A server with a policy on an address such as `127.0.0.1:9000` or `[::1]:0`.
    ///
    /// - Throws: ``ConfigurationError``.
    public convenience init(policy: Policy, address: String) throws {
        guard let place = try? HostPort(ByteText(address)), let port = place.portNumber(in: 0...65535) else {
            throw ConfigurationError("an address is HOST:PORT, not \(address)")
        }
        var configuration = ServerConfiguration()
        configuration.policy = policy
        configuration.host = place.host.text
        configuration.port = Int(port)
        try self.init(configuration: configuration)
    }

    /// Begins a ``ServerBuilder``.
    public static func builder() -> ServerBuilder { ServerBuilder() }

    /// The present number of live sessions.
    public var sessionCount: Int { self.environment.registry.count }

    /// Puts another policy in force. Live sockets that it forbids end with `policy_denied`.
    public func replacePolicy(_ policy: Policy) {
        self.policies.replace(policy)
    }

    /// Reads the policy's file, and the shadow policy's, again. Live sockets that the new policy forbids end with `policy_denied`.
    ///
    /// - Throws: ``ConfigurationError`` with all errors; then the old policy stays in force.
    public func reloadPolicy() throws(ConfigurationError) {
        try self.policies.reload()
    }

    /// The store through which the denylist is changed.
    package var denylistStore: any DenylistStore { self.denylist.store }
    /// The denylist in force.
    package var denylistInForce: ActiveDenylist { self.denylist.inForce }

    /// Whether the server accepts no new sessions and ends with its last.
    public var isDraining: Bool { self.state.withLock { $0.drainEnds != nil } }

    /// Begins to drain, as ServiceLifecycle's graceful shutdown does; no effect if it already drains, or does not listen.
    ///
    /// - Returns: seconds until what is left is ended.
    @discardableResult
    package func beginDrain() -> Double {
        let (stop, ends) = self.state.withLock { ($0.stop, $0.drainEnds) }
        guard let ends else {
            stop?.stop(.drain)
            return self.configuration.drainTimeoutSeconds
        }
        return Double(max(0, ends - self.environment.clock.uptimeNanoseconds())) / 1e9
    }

    /// Since the server was made.
    package var uptimeSeconds: Double {
        Double(MachineClock.uptimeNanoseconds() - self.state.withLock { $0.started }) / 1e9
    }

    /// Runs the server; the same as ``listen(onListening:)``.
    public func run() async throws {
        try await self.listen()
    }

    /// Listens, and serves until cancelled or shut down gracefully.
    ///
    /// - Parameter onListening: called once with the address actually bound.
    /// - Throws: ``StartError`` when an address cannot be bound or Redis is out of reach, ``ConfigurationError`` when the certificate
    ///   cannot be used or Redis is unsuitable.
    public func listen(onListening: (@Sendable (SocketAddress) -> Void)? = nil) async throws {
        try await self.withServices { try await self.serve(onListening: onListening) }
    }

    /// Runs the background services of sessions while the body runs: the part in the cluster, the denylist, the watch on the policy's
    /// file, the admin server.
    ///
    /// ``listen(onListening:)`` does this itself. Only an embedder that starts sessions without listening, by ``makeUpgrader()`` or
    /// ``startSession(on:request:)``, runs its own server within this; once.
    ///
    /// - Throws: what the body throws; ``StartError`` when Redis is out of reach or the admin server cannot listen,
    ///   ``ConfigurationError`` when Redis is unsuitable.
    public func withServices(_ body: @Sendable () async throws -> Void) async throws {
        do {
            try await self.member?.join()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await self.denylist.run() }
                tasks.addTask { await self.policies.watch() }
                tasks.addTask { await self.sampler.run() }
                tasks.addTask {
                    await Translators.watch(self.resolver) { [environment = self.environment] prefixes in
                        guard environment.policy.place.translators != prefixes else { return }
                        environment.changePlace { $0.translators = prefixes }
                    }
                }
                if let member = self.member {
                    tasks.addTask { await member.run(entry: self.entry) }
                    tasks.addTask { await self.ownEndpoints.watch() }
                    if !member.isOptional { try await self.denylist.waitUntilLoaded(from: member.name) }
                    await member.waitForRollCall()
                }
                // It outlasts a drain, so it must not react to a graceful shutdown by itself.
                let admin = try await self.startAdmin()
                do {
                    try await body()
                } catch {
                    await admin?.stop()
                    throw error
                }
                await admin?.stop()
                tasks.cancelAll()
            }
        } catch {
            await self.member?.leave()
            throw error
        }
        await self.member?.leave()
    }

    private func startAdmin() async throws -> RunningAdmin? {
        guard let options = self.configuration.admin, let prometheus = self.prometheus else { return nil }
        let admin = try await RunningAdmin.start(options, of: self, registry: prometheus, lag: self.lag)
        self.ownEndpoints.add(port: admin.address.port)
        self.state.withLock { $0.adminAddress = admin.address.text }
        return admin
    }

    /// Where the admin server listens, `host:port`; nil while it does not.
    public var adminAddress: String? { self.state.withLock { $0.adminAddress } }

    /// After the line that says where clients are served.
    private func tellAdminAddress() {
        guard let address = self.adminAddress else { return }
        self.configuration.logger.info("the admin server listens", metadata: ["url": "http://\(address)/"])
    }

    private func serve(onListening: (@Sendable (SocketAddress) -> Void)?) async throws {
        let threads = self.configuration.threads == 0 ? System.coreCount : self.configuration.threads
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let stop = StopSignal(on: group.any())
        self.state.withLock { $0.stop = stop }
        let unwatch = self.lag.watch(group)
        do {
            let listener = try await self.bind(group)
            if let address = listener.localAddress {
                self.ownEndpoints.add(port: address.port)
                self.state.withLock { $0.address = address.endpointText }
                onListening?(address)
                self.tellAdminAddress()
            }
            await withTaskCancellationHandler {
                await withGracefulShutdownHandler {
                    await self.serve(listener, until: stop)
                } onGracefulShutdown: {
                    stop.stop(.drain)
                }
            } onCancel: {
                stop.stop(.now)
            }
        } catch {
            stop.stop(.now)
            unwatch()
            _ = try? await group.shutdownGracefully()
            throw error
        }
        stop.stop(.now)
        unwatch()
        await self.resolver.shutDown()
        try await group.shutdownGracefully()
    }

    /// Serves until the first stop, then ends the sessions; a second stop makes it short.
    private func serve(_ listener: any Channel, until stop: StopSignal) async {
        let kind = await stop.first.wait()
        let timeoutSeconds = kind == .drain ? self.configuration.drainTimeoutSeconds : 0
        let ends = self.environment.clock.uptimeNanoseconds() + Int64(timeoutSeconds * 1e9)
        self.state.withLock { $0.drainEnds = ends }
        let registry = self.environment.registry
        // No more sessions are added before the present ones are read: none is missed, and new clients are redirected.
        registry.close()
        await Self.acceptWhoWaits(at: listener)
        try? await listener.close()
        // Bytes from the last accepted connections are read first: those with a request are answered.
        try? await Task.sleep(for: .milliseconds(20))
        self.environment.pending.drain()
        if kind == .drain, registry.count > 0 {
            let timeout = TimeAmount.nanoseconds(Int64(self.configuration.drainTimeoutSeconds * 1_000_000_000))
            self.configuration.logger.info(
                "draining",
                metadata: ["sessions": "\(registry.count)", "seconds": "\(self.configuration.drainTimeoutSeconds)"])
            for session in registry.sessions { session.drain(within: timeout) }
            await Self.wait(atMost: timeout, on: listener.eventLoop, or: stop) { registry.whenEmpty($0) }
        }
        // Every remaining session ends with 1001, and the close handshakes get their time.
        for session in registry.sessions { session.endDrained() }
        let grace = kind == .now ? TimeAmount.seconds(1) : self.configuration.settings.closeTimeout
        await Self.wait(atMost: grace, on: listener.eventLoop, or: kind == .now ? nil : stop) {
            self.connections.whenEmpty($0)
        }
    }

    /// Waits until the kernel's queue of connections is empty: closing the socket would reset them, unanswered.
    /// At most half a second, since more may arrive.
    private static func acceptWhoWaits(at listener: any Channel) async {
        for _ in 0..<50 {
            // For a listening socket this is the queue's length (Linux: tcp_get_info).
            let info = try? await (listener as? any SocketOptionProvider)?.getTCPInfo().get()
            guard let info, info.tcpi_unacked > 0 else { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Waits for an event, for at most `time`, or until a second stop.
    private static func wait(
        atMost time: TimeAmount, on eventLoop: any EventLoop, or stop: StopSignal?,
        _ subscribe: (@escaping @Sendable () -> Void) -> Void
    ) async {
        let end = OneShot<Void>(on: eventLoop)
        subscribe { end.succeed(()) }
        let timer = eventLoop.scheduleTask(in: time) { end.succeed(()) }
        stop?.hurry.whenDone { end.succeed(()) }
        _ = await end.wait()
        timer.cancel()
    }

    private func bind(_ group: MultiThreadedEventLoopGroup) async throws -> any Channel {
        let tls = try self.configuration.tls.map { try $0.context() }
        let (connections, environment) = (self.connections, self.environment)
        let front = ConnectionFront(
            environment: self.environment, admission: self.admission, counters: self.admissionCounters, tls: tls,
            proxyProtocol: self.configuration.proxyProtocol, pages: self.pages)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        Exhaustion.makeAcceptHandler(), AcceptLimiter(environment))
                }
            }
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: UInt(environment.descriptors.acceptBatch))
            // Small reads, one at a time, until it is a session.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: HTTPEntry.readBytes)
            )
            .childChannelInitializer { channel in
                guard environment.admit(channel) else { return channel.close() }
                connections.add(channel)
                return channel.eventLoop.makeCompletedFuture { try front.install(on: channel) }
            }
        let (host, port) = (self.configuration.host, self.configuration.port)
        do {
            return try await bootstrap.bind(host: host, port: port).get()
        } catch {
            throw StartError(listening: "the node", host: host, port: port, error)
        }
    }

    /// The node's present entry for the registry.
    func entry(id: String) -> NodeEntry {
        let counts = self.environment.ledger.counts
        let state = self.state.withLock { $0 }
        return NodeEntry(
            id: id, name: self.configuration.nodeName,
            address: state.address ?? HostPort.text(self.configuration.host, self.configuration.port),
            version: WasmnetVersion.current, state: state.drainEnds == nil ? .serving : .draining,
            sessions: counts.sessions,
            sockets: counts.sockets, startedAt: state.startedAt,
            denylistVersion: self.denylist.inForce.list.version)
    }
}
