import Foundation
import Logging
public import NIOCore
import NIOPosix
import NIOSSL
import RedisClient
public import ServiceLifecycle
import WasmnetCluster
public import WasmnetPolicy
import WasmnetQuota
package import WasmnetRelay

/// A wasmnet node: WebSockets in; TCP, TLS, UDP and DNS out, under a policy.
///
/// ``listen(onListening:)`` runs until the task is cancelled, which ends every session at once, or until ServiceLifecycle shuts it
/// down gracefully, which lets live sockets run until the drain timeout.
public final class Server: Service, Sendable {
    /// What the server was made from.
    public let configuration: ServerConfiguration
    package let environment: RelayEnvironment
    let admission: any Admission
    /// What admission counted.
    package let admissionCounters = AdmissionCounters()
    private let resolver: SystemResolver
    private let connections = OpenConnections()
    private struct State: Sendable {
        /// Where it listens.
        var address: String?
        var isDraining = false
        /// Milliseconds since the Unix epoch.
        let startedAt = Int64(Date().timeIntervalSince1970 * 1000)
    }
    private let state = Guarded(State())
    /// Nil without Redis.
    private let member: ClusterMember?

    /// - Throws: ``ConfigurationError``.
    public init(configuration: ServerConfiguration) throws {
        guard (0...65_535).contains(configuration.port) else {
            throw ConfigurationError("a port is 0 to 65535, not \(configuration.port)")
        }
        guard (0...1024).contains(configuration.threads) else {
            throw ConfigurationError("threads must be 0 to 1024, not \(configuration.threads)")
        }
        guard configuration.drainTimeoutSeconds >= 0, configuration.drainTimeoutSeconds <= 86_400 else {
            throw ConfigurationError("the drain timeout must be 0 to 86400 seconds")
        }
        self.configuration = configuration
        self.resolver = SystemResolver()
        self.admission = try ClientIdentity.admission(configuration, counters: self.admissionCounters)
        let clock = configuration.clock ?? SystemClock()
        let registry = SessionRegistry()
        self.member = try configuration.redis.map { (options) throws(ConfigurationError) in
            try ClusterMember(
                options, policy: configuration.policy, clock: clock, registry: registry, logger: configuration.logger)
        }
        do {
            self.environment = try RelayEnvironment(
                settings: configuration.settings, policy: configuration.policy,
                ledger: self.member?.ledger ?? InProcessLedger(clock: clock.now),
                resolver: configuration.resolver ?? self.resolver, observer: SilentObserver(),
                logger: configuration.logger,
                clock: clock, nodeName: configuration.nodeName, version: WasmnetVersion.current,
                extraAuthorities: configuration.extraAuthorities, registry: registry)
        } catch {
            throw ConfigurationError(
                "a certificate authority could not be read from \(configuration.extraAuthorities): \(error)")
        }
    }

    /// A server with a policy on an address such as `127.0.0.1:9000` or `[::1]:0`.
    ///
    /// - Throws: ``ConfigurationError``.
    public convenience init(policy: Policy, address: String) throws {
        guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]) else {
            throw ConfigurationError("an address is HOST:PORT, not \(address)")
        }
        var configuration = ServerConfiguration()
        configuration.policy = policy
        configuration.host = String(address[..<colon].filter { $0 != "[" && $0 != "]" })
        configuration.port = port
        try self.init(configuration: configuration)
    }

    /// Begins a ``ServerBuilder``.
    public static func builder() -> ServerBuilder { ServerBuilder() }

    /// Live sessions at this moment.
    public var sessionCount: Int { self.environment.registry.count }

    /// Puts another policy in force. Live sockets that it forbids end with `policy_denied`.
    public func replacePolicy(_ policy: Policy) {
        self.environment.replacePolicy(policy)
    }

    /// Runs the server; the same as ``listen(onListening:)``.
    public func run() async throws {
        try await self.listen()
    }

    /// Listens, and serves until cancelled or shut down gracefully.
    ///
    /// - Parameter onListening: called once with the address that was really bound.
    /// - Throws: when the address cannot be bound or the certificate cannot be used; ``ConfigurationError`` when Redis is out of reach
    ///   or unfit.
    public func listen(onListening: (@Sendable (SocketAddress) -> Void)? = nil) async throws {
        try await self.withCluster { try await self.serve(onListening: onListening) }
    }

    /// Takes part in the cluster while the body runs; just runs it without Redis.
    ///
    /// ``listen(onListening:)`` does this itself. Only an embedder that takes sessions without listening, by ``makeUpgrader()`` or
    /// ``startSession(on:request:)``, and counts in Redis, runs its own server within this; once.
    ///
    /// - Throws: what the body throws; ``ConfigurationError`` when Redis is out of reach or unfit.
    public func withCluster(_ body: @Sendable () async throws -> Void) async throws {
        guard let member = self.member else { return try await body() }
        do {
            try await member.join()
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { await member.run(entry: self.entry) { await self.protect($0) } }
                try await body()
                tasks.cancelAll()
            }
        } catch {
            await member.leave()
            throw error
        }
        await member.leave()
    }

    private func serve(onListening: (@Sendable (SocketAddress) -> Void)?) async throws {
        let threads = self.configuration.threads == 0 ? System.coreCount : self.configuration.threads
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let stop = StopSignal(on: group.any())
        do {
            let listener = try await self.bind(group)
            if let address = listener.localAddress {
                self.protect(address)
                self.state.withLock { $0.address = address.endpointText }
                onListening?(address)
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
            _ = try? await group.shutdownGracefully()
            throw error
        }
        stop.stop(.now)
        await self.resolver.shutDown()
        try await group.shutdownGracefully()
    }

    /// Serves until the first stop, then ends the sessions; a second stop makes it short.
    private func serve(_ listener: any Channel, until stop: StopSignal) async {
        let kind = await stop.first.wait()
        self.state.withLock { $0.isDraining = true }
        try? await listener.close()
        let registry = self.environment.registry
        if kind == .drain, registry.count > 0 {
            let timeout = TimeAmount.nanoseconds(Int64(self.configuration.drainTimeoutSeconds * 1_000_000_000))
            self.configuration.logger.info(
                "draining",
                metadata: ["sessions": "\(registry.count)", "seconds": "\(self.configuration.drainTimeoutSeconds)"])
            for session in registry.sessions { session.drain(within: timeout) }
            await Self.wait(atMost: timeout, on: listener.eventLoop, or: stop) { registry.whenEmpty($0) }
        }
        // Every session that is left ends with 1001, and the close handshakes get their time.
        for session in registry.sessions { session.endDrained() }
        let grace = kind == .now ? TimeAmount.seconds(1) : self.configuration.settings.closeTimeout
        await Self.wait(atMost: grace, on: listener.eventLoop, or: kind == .now ? nil : stop) {
            self.connections.whenEmpty($0)
        }
    }

    /// Waits for an event, for so long, or until somebody hurries.
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
        let tls = try self.configuration.tls.map(Self.tlsContext)
        let connections = self.connections
        let front = ConnectionFront(
            environment: self.environment, admission: self.admission, counters: self.admissionCounters, tls: tls,
            proxyProtocol: self.configuration.proxyProtocol)
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 4096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.maxMessagesPerRead, value: 32)
            .childChannelInitializer { channel in
                connections.add(channel)
                return channel.eventLoop.makeCompletedFuture { try front.install(on: channel) }
            }
            .bind(host: self.configuration.host, port: self.configuration.port).get()
    }

    private static func tlsContext(_ files: ServerConfiguration.TLSFiles) throws -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(files.certificate).map {
                NIOSSLCertificateSource.certificate($0)
            }
            let key = try NIOSSLPrivateKey(file: files.key, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ConfigurationError(
                "the certificate \(files.certificate) with the key \(files.key) cannot be used: \(error)")
        }
    }

    /// What the node tells the others of itself.
    private func entry(id: String) -> NodeEntry {
        let counts = self.environment.ledger.counts
        let state = self.state.withLock { $0 }
        return NodeEntry(
            id: id, name: self.configuration.nodeName,
            address: state.address ?? "\(self.configuration.host):\(self.configuration.port)",
            version: WasmnetVersion.current, state: state.isDraining ? .draining : .serving, sessions: counts.sessions,
            sockets: counts.sockets, startedAt: state.startedAt)
    }

    /// The node's own listener is out of reach for clients, under every policy.
    private func protect(_ address: SocketAddress) {
        self.environment.protect(OwnEndpoints.of(address))
    }

    /// So is the Redis that it counts in.
    private func protect(_ redis: RedisEndpoint) async {
        guard case .host(let host, let port) = redis else { return }
        self.environment.protect(
            await self.addresses(of: host).map { ProtectedEndpoint(address: $0, port: UInt16(clamping: port)) })
    }

    private func addresses(of host: String) async -> [IPAddress] {
        if let address = IPAddress(host) { return [address] }
        guard let name = try? HostName(parsing: host) else { return [] }
        let eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        return (try? await self.resolver.resolve(name, on: eventLoop).get()) ?? []
    }
}
