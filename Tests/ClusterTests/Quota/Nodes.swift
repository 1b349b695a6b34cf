import NIOConcurrencyHelpers
import NIOCore
import RedisClient
import Synchronization
import WasmnetPolicy
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

/// A ledger like a node's, with its own connection to Redis.
final class LedgerNode: Sendable {
    let ledger: RedisLedger
    let redis: RedisClient
    let server: RedisServer
    let clock: @Sendable () -> QuotaInstant
    /// Sockets that were to end, by client.
    let excess = NIOLockedValueBox<[String: Int]>([:])
    /// How often data loss was reported.
    let losses = NIOLockedValueBox(0)
    /// The ids in the registry.
    let peers = NIOLockedValueBox<[String]>([])
    let longRollCalls = NIOLockedValueBox<[[String]]>([])
    /// Sockets that were to end with their lease, and whether sessions were.
    let fenced = NIOLockedValueBox<[String]>([])
    /// Keys among which some had the wrong type, and how many of them were removed.
    let repaired = NIOLockedValueBox<[(keys: [String], removed: Int)]>([])
    let id: String
    private let callsAtStart: Int
    /// Buckets out of order, each time that changed.
    let modes = NIOLockedValueBox<[Int]>([])

    /// - Parameter sharesClock: whether the scripts go by the node's clock as well.
    init(
        _ server: RedisServer, clock: @escaping @Sendable () -> QuotaInstant, sharesClock: Bool = true,
        modes outage: OutageModes = OutageModes(), answerTime: QuotaDuration = .milliseconds(50), isAlone: Bool = true
    ) async throws {
        self.server = server
        self.redis = try await server.client()
        self.clock = clock
        var settings = ClusterSettings(clock: clock)
        settings.usesOwnClock = sharesClock
        self.id = settings.nodeID
        settings.modes = outage
        settings.answerTime = answerTime
        var events = ClusterEvents()
        let (excess, modes, losses) = (self.excess, self.modes, self.losses)
        let (ledger, peers) = (NIOLockedValueBox<RedisLedger?>(nil), self.peers)
        events.peersNeeded = { ledger.withLockedValue { $0 }?.registered(peers.withLockedValue { $0 }) }
        events.lost = { losses.withLockedValue { $0 += 1 } }
        let (longRollCalls, fenced, repaired) = (self.longRollCalls, self.fenced, self.repaired)
        events.repaired = { keys, removed in repaired.withLockedValue { $0.append((keys, removed)) } }
        events.fenced = { _, sockets, sessions in fenced.withLockedValue { $0.append("\(sockets) \(sessions)") } }
        events.rollCallIsLong = { missing in longRollCalls.withLockedValue { $0.append(missing) } }
        events.excess = { client, count in excess.withLockedValue { $0[client.text, default: 0] += count } }
        events.modeChanged = { buckets, _ in modes.withLockedValue { $0.append(buckets) } }
        self.ledger = RedisLedger(redis: self.redis, settings: settings, events: events)
        ledger.withLockedValue { [own = self.ledger] in $0 = own }
        try await self.ledger.learnGenerations(isAlone: isAlone)
        self.callsAtStart = self.ledger.counters.calls.load(ordering: .relaxed)
    }

    func client(_ limits: ClientLimits, named name: String = "t:someone") -> NodeClient {
        NodeClient(
            allowance: self.ledger.allowance(for: ClientID(text: name), limits: limits), clock: self.clock)
    }

    /// Scheduled work is done, and every answer has arrived.
    func tick() async throws {
        self.ledger.tick()
        try await self.settle()
    }

    /// Returns when every request so far is answered, and those that followed from the answers.
    func settle() async throws {
        var calls = -1
        while calls != self.calls {
            calls = self.calls
            // Twice: a script that the server does not know is sent again after its first answer. A server that cannot save refuses PING.
            for _ in 0..<2 { try await self.redis.send(["ECHO", "settled"]) }
        }
    }

    struct NoOutage: Error {}

    /// Lets time pass until it is an outage: the server is away.
    func goesOut(_ clock: ManualClock) throws {
        for _ in 0..<100 where self.ledger.outages == 0 {
            clock.advance(.milliseconds(250))
            self.ledger.tick()
        }
        guard self.ledger.outages > 0 else { throw NoOutage() }
    }

    var calls: Int { self.ledger.counters.calls.load(ordering: .relaxed) - self.callsAtStart }
}

/// One client on one node, and the slots that it holds there.
final class NodeClient {
    let allowance: any ClientAllowance
    private let clock: @Sendable () -> QuotaInstant
    var sockets: [QuotaSlot] = []

    init(allowance: any ClientAllowance, clock: @escaping @Sendable () -> QuotaInstant) {
        self.allowance = allowance
        self.clock = clock
    }

    /// Nil: admitted.
    @discardableResult
    func open(_ what: Reservation = .socket) async -> QuotaRefusal? {
        switch await self.allowance.reserve(what, now: self.clock()) {
        case .success(let slot):
            if let slot { self.sockets.append(slot) }
            return nil
        case .failure(let refusal): return refusal
        }
    }

    func close(_ count: Int = .max) {
        for _ in 0..<min(count, self.sockets.count) { self.sockets.removeLast().release() }
    }
}

extension ClientAllowance {
    /// Asks at once: before its caller's next step.
    func begin(_ what: Reservation, now: QuotaInstant) -> AsyncStream<Result<QuotaSlot?, QuotaRefusal>> {
        AsyncStream { answers in
            let heard: @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void = {
                answers.yield($0)
                answers.finish()
            }
            if let atOnce = self.reserve(what, now: now, later: heard) { heard(atOnce) }
        }
    }

    func reserve(_ what: Reservation, now: QuotaInstant) async -> Result<QuotaSlot?, QuotaRefusal> {
        await withCheckedContinuation { continuation in
            let atOnce = self.reserve(what, now: now) { continuation.resume(returning: $0) }
            if let atOnce { continuation.resume(returning: atOnce) }
        }
    }
}

/// Runs a test with nodes on one server under one clock.
///
/// - Parameter counted: how many nodes each assumes, if not the real number.
func withNodes(
    _ count: Int, counted: Int? = nil, modes: OutageModes = OutageModes(),
    _ body: (RedisServer, ManualClock, [LedgerNode]) async throws -> Void
) async throws {
    try await withServer { server in
        let clock = ManualClock()
        var nodes: [LedgerNode] = []
        for _ in 0..<count { nodes.append(try await LedgerNode(server, clock: { clock.now() }, modes: modes)) }
        for node in nodes { node.ledger.nodeCount = counted ?? count }
        do {
            try await body(server, clock, nodes)
        } catch {
            for node in nodes { await node.redis.close() }
            throw error
        }
        for node in nodes { await node.redis.close() }
    }
}
