import WasmnetNet
import Logging
import NIOCore
import RedisClient
import WasmnetCluster
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay

/// A node's part in the cluster: its connection to Redis, the ledger on it, and their background tasks.
final class ClusterMember: Sendable {
    let ledger: RedisLedger
    let redis: RedisClient
    /// For additional connections, those of the denylist; their state says nothing about the limits.
    let options: RedisClientOptions
    let registry: NodeRegistry
    let accounts: ClientAccounts
    private let nodeID: String
    private let nodeHeartbeat: Duration
    let isOptional: Bool
    /// The name of the option, for error messages.
    let name: String
    /// How long one part may wait for Redis before that counts as its own fault: an outage is known by then.
    let patience: TimeAmount
    private let serverFound: @Sendable (RedisEndpoint) -> Void
    private let logger: Logger
    private let outageLog: OutageLog
    private let links: AsyncStream<(event: RedisLinkEvent, isOfLimits: Bool)>
    private struct State {
        var isConnected = false
        var evicts = false
        /// Commands that the Redis user may not run.
        var forbidden: [String] = []
    }
    private let state = Guarded(State())
    private let modes: Guarded<OutageModes>
    /// When the node must register.
    private let registrations: AsyncStream<Void>
    private let register: AsyncStream<Void>.Continuation
    /// How often Redis' own settings are checked.
    private static let checkInterval = Duration.seconds(30)

    /// Whether any server is connected.
    var isConnected: Bool { self.state.withLock { $0.isConnected } }
    /// Whether Redis was seen to drop keys when its memory is full.
    var evicts: Bool { self.state.withLock { $0.evicts } }

    /// Begins to connect. Runs on NIO's shared event loops, so that it serves sessions on any.
    init(
        _ options: RedisOptions, policy: Policy, clock: any RelayClock, registry: SessionRegistry, logger: Logger,
        replyObserver: @escaping @Sendable (TimeAmount) -> Void,
        serverFound: @escaping @Sendable (RedisEndpoint) -> Void
    ) throws(ConfigurationError) {
        let (links, continuation) = AsyncStream.makeStream(
            of: (event: RedisLinkEvent, isOfLimits: Bool).self, bufferingPolicy: .bufferingNewest(256))
        self.links = links
        self.isOptional = options.isOptional
        self.name = options.name
        self.patience = .seconds(Int64(options.outageSeconds) + 10)
        self.nodeHeartbeat = options.nodeHeartbeat
        self.logger = logger
        let outageLog = OutageLog(outageTime: .seconds(Int64(options.outageSeconds)), logger: logger)
        self.outageLog = outageLog
        var client = try options.clientOptions(name: "wasmnet-node") { continuation.yield(($0, true)) }
        client.replyObserver = replyObserver
        client.serverFound = serverFound
        self.serverFound = serverFound
        var others = client
        others.observer = { continuation.yield(($0, false)) }
        self.options = others
        self.redis = try options.makeClient(client)
        self.accounts = ClientAccounts(redis: self.redis)
        let modes = Guarded(policy.outage)
        self.modes = modes
        var settings = ClusterSettings(clock: clock.now)
        self.nodeID = settings.nodeID
        settings.modes = policy.outage
        settings.answerTime = options.answerTime ?? .milliseconds(Int64(options.timeoutMilliseconds))
        settings.outageTime = .seconds(Int64(options.outageSeconds))
        let (registrations, register) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.registrations = registrations
        self.register = register
        var events = Self.events(registry: registry, modes: modes, outageLog: outageLog, logger: logger)
        // A node that is just starting learns from the registry which nodes to wait for.
        events.lost = { register.yield() }
        events.peersNeeded = { register.yield() }
        self.registry = NodeRegistry(redis: self.redis, repaired: events.repaired)
        events.rollCallIsLong = { missing in
            logger.warning(
                "limits do not grow: Redis restarted or lost data, and not all nodes have declared what they hold yet; this takes at most 16 s. wasmnet-node cluster lists the registered nodes with their ids",
                metadata: ["missing": missing.isEmpty ? "not known yet" : "\(missing.joined(separator: " "))"])
        }
        events.recovered = { time in
            logger.notice(
                "Redis restarted or lost data: what nodes hold is known again, and limits grow again",
                metadata: ["after_ms": "\(time.microseconds / 1000)"])
        }
        self.ledger = RedisLedger(redis: self.redis, settings: settings, events: events)
    }

    private static func events(
        registry: SessionRegistry, modes: Guarded<OutageModes>, outageLog: OutageLog, logger: Logger
    ) -> ClusterEvents {
        var events = ClusterEvents()
        events.excess = { client, count in
            logger.warning(
                "a client has more sockets open than its limit, because Redis or this node stalled or data was lost; its newest sockets on this node end",
                metadata: ["client": "\(client.commandText)", "sockets": "\(count)"])
            registry.endNewest(count, of: client)
        }
        events.fenced = { client, sockets, endsSessions in
            logger.warning(
                "Redis has not answered for as long as leases last: clients' sockets and sessions on this node end (redis_failure is fence)",
                metadata: [
                    "client": "\(client.commandText)", "sockets": "\(sockets)", "ends_sessions": "\(endsSessions)",
                ])
            registry.endNewest(sockets, of: client)
            if endsSessions { for session in registry.sessions(of: client) { session.endDrained() } }
        }
        events.repaired = { keys, removed in
            logger.warning(
                "keys in Redis had a type that this node does not use, and were removed: what they counted starts again from zero",
                metadata: ["removed": "\(removed)", "among": "\(keys.joined(separator: " "))"])
        }
        events.modeChanged = { outages, reason in
            outageLog.changed(outages: outages, modes: modes.withLock { $0 }, reason: reason)
        }
        return events
    }

    /// The modes in force while Redis does not answer, and for how many seconds it has been silent; nil: there is no outage.
    var outage: (modes: String, seconds: Int64)? {
        guard self.ledger.outages > 0 else { return nil }
        return (self.modes.withLock { $0.summary }, self.outageLog.silentSeconds ?? 0)
    }

    /// Applies the outage modes of a policy that came into force.
    func apply(_ policy: Policy) {
        self.modes.withLock { $0 = policy.outage }
        self.ledger.modes = policy.outage
    }

    // MARK: Lifecycle

    /// Returns once Redis is known to be suitable, or known to be away and optional.
    /// - Throws: ``StartError`` if it is away, ``ConfigurationError`` if it is unsuitable.
    func join() async throws {
        do {
            try await self.redis.connect()
            try await self.check()
            let forbidden = try await RedisRights.missing(redis: self.redis)
            guard forbidden.isEmpty else { throw ConfigurationError(Self.complaint(forbidden)) }
            try await self.ledger.learnGenerations(isAlone: await self.isAlone())
        } catch let error as ConfigurationError {
            throw error
        } catch {
            guard self.isOptional else {
                guard (error as? RedisError)?.mayPass == true else {
                    throw ConfigurationError("\(self.name): \(error)")
                }
                throw StartError("\(self.name): \(error); start it first, or the node with --redis-optional")
            }
            self.outageLog.started(without: error)
        }
    }

    /// Whether there is no other node: each listens on the channel of the denylist, and this one does not yet. A Redis that just started
    /// does not know, since the others may not have reconnected; in a Redis Cluster a server knows only its own listeners.
    private func isAlone() async -> Bool {
        if self.redis.isCluster { return false }
        let replies = await self.redis.pipeline(
            [["PUBSUB", "NUMSUB", .string(RedisKeys.denylistChannel)], ["INFO", "server"]], deadline: .seconds(10))
        let uptime = RedisCheck.uptime(info: (try? replies.last?.get().string) ?? "")
        return (try? replies.first?.get().array?.last?.int64) == 0 && uptime ?? 0 >= Self.reconnectSeconds
    }

    /// Every node that can reconnect has done so by then: attempts are at most a second apart. Redis counts whole seconds, one too many.
    private static let reconnectSeconds = 3

    /// Returns once limits can grow. A node that starts on a Redis without data takes part in a roll call first; if that takes long,
    /// because a node is gone, this one serves meanwhile.
    func waitForRollCall() async {
        let end = MachineClock.uptimeNanoseconds() + Self.startPatience.nanoseconds
        while self.ledger.rollCalls > 0, MachineClock.uptimeNanoseconds() < end {
            guard (try? await Task.sleep(for: .milliseconds(50))) != nil else { return }
        }
    }

    /// Longer than a roll call in which all nodes answer.
    private static let startPatience = TimeAmount.milliseconds(3500)

    /// Nodes announce themselves: the registry must be read, so that a roll call waits for new ones.
    func changed(_ change: NodeRegistry.Change) {
        switch change {
        case .joined(self.nodeID): break
        case .joined: self.register.yield()
        case .left(let id): self.ledger.left(id)
        }
    }

    private func check() async throws {
        let results = await self.redis.pipeline([["INFO"]], deadline: .seconds(10))
        if case .failure(.server(let error))? = results.first, error.code == "NOPERM" {
            self.logger.debug("this user of Redis may not run INFO, so version, role and eviction were not checked")
            return
        }
        let info = try results.first?.get().string ?? ""
        let isSingle = if case .single = self.redis.url.topology { true } else { false }
        let check = try RedisCheck(info: info, isSingle: isSingle)
        check.replicas.forEach(self.serverFound)
        let evicts = !check.warnings.isEmpty
        let isNews = self.state.withLock { state in
            defer { state.evicts = evicts }
            return state.evicts != evicts
        }
        guard isNews else { return }
        if !evicts { self.logger.notice("Redis evicts no keys any more") }
        for warning in check.warnings { self.logger.warning("\(warning)") }
    }

    /// The rights of the Redis user may change while the node runs.
    private func checkRights() async throws {
        let forbidden = try await RedisRights.missing(redis: self.redis)
        let isNews = self.state.withLock { state in
            defer { state.forbidden = forbidden }
            return state.forbidden != forbidden
        }
        guard isNews else { return }
        if forbidden.isEmpty {
            self.logger.notice("the user of Redis has all rights again")
        } else {
            self.logger.warning("\(Self.complaint(forbidden)); requests that need them are refused")
        }
    }

    private static func complaint(_ forbidden: [String]) -> String {
        "this user of Redis may not \(forbidden.joined(separator: ", ")) (NOPERM); deploy/redis/wasmnet.acl has the rights that nodes need"
    }

    /// Heartbeats and the actions on new connections, until cancelled.
    ///
    /// - Parameter entry: the node's present entry, given its id.
    func run(entry: @escaping @Sendable (_ id: String) -> NodeEntry) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.ledger.run() }
            tasks.addTask {
                for await _ in self.registrations {
                    // Without an answer the static mode still divides by the nodes last known.
                    if let nodes = try? await self.registry.register(entry(self.nodeID)) {
                        self.ledger.registered(nodes)
                    }
                }
            }
            tasks.addTask {
                repeat { self.register.yield() } while (try? await Task.sleep(for: self.nodeHeartbeat)) != nil
            }
            tasks.addTask {
                // Problems may have been fixed meanwhile, or appeared.
                while (try? await Task.sleep(for: Self.checkInterval)) != nil {
                    try? await self.check()
                    try? await self.checkRights()
                }
            }
            for await (event, isOfLimits) in self.links {
                switch event {
                case _ where !isOfLimits: self.outageLog.subscription(event)
                case .up(let endpoint):
                    self.state.withLock { $0.isConnected = true }
                    self.outageLog.connected(to: endpoint)
                    // If a start without Redis ends before it is an outage, nothing else ends it.
                    if self.ledger.outages == 0 { self.outageLog.ended() }
                    self.ledger.reconnected()
                case .down(_, let reason):
                    self.state.withLock { $0.isConnected = false }
                    self.outageLog.disconnected(reason)
                    self.ledger.disconnected(reason)
                }
            }
        }
    }

    /// Releases everything and disconnects; for when no session is left.
    func leave() async {
        await self.ledger.retire()
        try? await self.registry.remove(id: self.nodeID)
        await self.redis.close()
    }
}
