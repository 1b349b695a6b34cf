import RedisClient
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetCluster

/// The rules of a simulation, checked from the outside.
final class SimulatedBounds: @unchecked Sendable {
    /// A client on a node that did not hear from Redis for long enough that it may open on credit, or that others may have its slots.
    private struct Silence {
        var until: Int64
        /// When the node last heard from Redis before it.
        var heardAt: Int64
        /// Slots that it may have beyond the limit.
        var credit = 0
        /// Bytes of the day that it may pass beyond its leases.
        var dayCredit: Int64 = 0
        var held = 0
    }

    private unowned let cluster: SimulatedCluster
    /// By node, and by client.
    private var silences: [[Silence?]] = []
    private var wasAnySilent = false
    private var lostAt = -Int64.seconds(100)
    private var diedAt = -Int64.seconds(100)
    private var outOfReachUntil = -Int64.seconds(100)

    /// Less than an outage's time; and than the rest of a lease when its node falls silent.
    private static let creditTime = Int64.seconds(4.9)
    private static let lapseTime = Int64.seconds(9)
    /// A lease counts for this long after the requesting node's contact began.
    private static let contactTime = Int64.seconds(14)
    /// The longest roll call, and the time in which an excess ends.
    private static let afterTime = Int64.seconds(26)
    private static let excessTime = Int64.seconds(10)
    /// A roll call may wait this long for a node that died: it is still in the registry, or others remember it.
    private static let missingTime = Int64.seconds(42)
    /// The longest time until no request is refused for a roll call: it is noticed, it lasts, and a waiting request takes a second.
    private static let rollCallTime = Int64.seconds(5)
    private static let longRollCallTime = Int64.seconds(20)

    init(_ cluster: SimulatedCluster) { self.cluster = cluster }

    private var now: Int64 { self.cluster.time.now }
    private var mode: OutageMode { self.cluster.schedule.mode }

    /// When something was last in the way of some node, or a limit changed; and when something was, or a roll call or an outage lasted.
    private var disturbedAt: Int64 = 0
    private var unsettledAt: Int64 = 0
    /// The key of leases was deleted, and some may not be declared again yet.
    private var isForgotten = false

    func disturbed() {
        self.disturbedAt = self.now
        self.unsettledAt = self.now
    }
    func lost() {
        self.lostAt = self.now
        self.disturbed()
    }
    func stepped() {
        self.steppedAt = self.now
        self.disturbed()
    }
    func forgot() {
        self.isForgotten = true
        self.disturbed()
    }
    private var steppedAt = -Int64.seconds(100)
    func died() { self.diedAt = self.now }
    func isOutOfReach(until end: Int64) { self.outOfReachUntil = max(self.outOfReachUntil, end) }

    /// Whether no node is unreachable that a process that starts now must know about.
    var mayStart: Bool {
        self.cluster.servers.allSatisfy(\.isUp)
            && (self.now > self.outOfReachUntil + .seconds(3) || self.now - self.lostAt > .seconds(40))
    }

    /// How long after the last event there is no excess, and growth again.
    var settlingTime: Int64 {
        if self.isMissing { return Self.afterTime }
        return self.wasAnySilent || self.isForgotten ? Self.excessTime : .seconds(6) + self.lookTime
    }

    /// In a Redis Cluster each bucket is checked for a loss every five seconds, else some bucket every second.
    private var lookTime: Int64 { self.cluster.servers.count > 1 ? .seconds(4) : 0 }

    private var isMissing: Bool { self.now - self.diedAt < Self.missingTime }

    // MARK: All the time

    func look() {
        let clients = self.cluster.clients.indices
        while self.silences.count < self.cluster.nodes.count { self.silences.append(clients.map { _ in nil }) }
        for (index, node) in self.cluster.nodes.enumerated() {
            for client in clients {
                self.silences[index][client] = self.silence(of: node, client, known: self.silences[index][client])
            }
        }
        self.lookWhetherSettled()
    }

    private func silence(of node: SimulatedNode, _ client: Int, known: Silence?) -> Silence? {
        guard node.isAlive else { return nil }
        let heardAt = node.contact(ofClient: client).heardAt
        let known = known.flatMap { $0.until < self.now ? nil : $0 }
        guard node.hasJoined, self.now - heardAt >= Self.creditTime else { return known }
        self.wasAnySilent = true
        node.wasSilent(toClient: client)
        var silence = known ?? Silence(until: 0, heardAt: heardAt)
        silence.until = self.now + Self.afterTime
        if silence.heardAt != heardAt { (silence.heardAt, silence.dayCredit) = (heardAt, 0) }
        let more = self.cluster.day.credit(of: client, on: node) - silence.dayCredit
        if more > 0 {
            silence.dayCredit += more
            self.cluster.day.mayExceed(by: more, of: client)
        }
        if self.mode == .static {
            silence.credit = max(silence.credit, max(self.limit / max(node.ledger.nodeCount, 1), 1))
        }
        if self.now - heardAt >= Self.lapseTime, self.othersMayFree(node, client) {
            silence.held = max(silence.held, node.sockets[client].count)
        }
        return silence
    }

    /// Whether another node was in contact for long enough to free this one's slots.
    private func othersMayFree(_ node: SimulatedNode, _ client: Int) -> Bool {
        self.cluster.live.contains {
            let other = self.cluster.nodes[$0]
            return other !== node && self.now - other.contact(ofClient: client).since >= Self.contactTime
        }
    }

    /// Long after the last fault nothing is above the limit.
    private func lookWhetherSettled() {
        let nodes = self.cluster.live.map { self.cluster.nodes[$0] }
        if !self.cluster.isServed || !nodes.allSatisfy(\.isWell) { self.disturbed() }
        if !nodes.allSatisfy({ $0.hasJoined && $0.ledger.rollCalls == 0 }) { self.unsettledAt = self.now }
        guard self.now - self.unsettledAt >= Self.excessTime else { return }
        self.isForgotten = false
        guard !self.cluster.schedule.keepsExcess else { return }
        for client in self.cluster.clients.indices where self.cluster.total(client) > self.maxGranted {
            self.cluster.fault(
                "client \(client) has \(self.cluster.total(client)) open 10 s after all is well, and the limit is \(self.limit)"
            )
        }
    }

    /// Long after the last fault no request waits in vain.
    func refused(_ node: SimulatedNode, _ refusal: QuotaRefusal) {
        self.look()
        let time = (self.isMissing ? Self.longRollCallTime : Self.rollCallTime) + self.lookTime
        guard refusal.kind == .unanswered, self.now - self.disturbedAt > time else { return }
        self.cluster.fault(
            "\(node.name) refuses for want of an answer \((self.now - self.disturbedAt).inSeconds) s after all is well")
    }

    /// Under a lower limit open sockets stay, and can be closed and opened again.
    private var found: [Int] = []

    /// To be called before each node's limit falls.
    func lowers() {
        if self.found.isEmpty { self.found = self.cluster.clients.indices.map { _ in 0 } }
        for client in self.found.indices {
            self.found[client] = max(self.found[client], min(self.cluster.total(client), self.bound(client)))
        }
    }

    /// Above a lowered limit earlier grants may stay.
    var maxGranted: Int { max(self.limit, self.found.max() ?? 0) }

    private var limit: Int { self.cluster.live.map { self.cluster.limits[$0].maxConnections }.max() ?? 0 }

    private func bound(_ client: Int) -> Int {
        self.look()
        let limit = max(self.limit, self.found.isEmpty ? 0 : self.found[client])
        return (self.isForgotten ? 2 : 1) * limit
            + self.silences.reduce(0) { $0 + ($1[client].map { $0.credit + $0.held } ?? 0) }
    }

    func opened(_ client: Int) {
        let (total, bound) = (self.cluster.total(client), self.bound(client))
        guard total > bound else { return }
        let counts = self.cluster.live.map {
            "\(self.cluster.nodes[$0].name) \(self.cluster.nodes[$0].sockets[client].count)"
        }
        self.cluster.fault(
            "client \(client) has \(total) open where \(bound) is the bound: \(counts.joined(separator: ", "))")
    }

    func tellsToEnd(_ node: SimulatedNode, _ client: Int, _ count: Int, isFence: Bool, silence: Int64) {
        self.look()
        if isFence, silence < Self.lapseTime {
            self.cluster.fault("\(node.name) ends \(count) of client \(client), and its lease has not lapsed")
        }
        if !node.contact(ofClient: client).wasSilent, !self.isForgotten {
            self.cluster.fault("\(node.name) ends \(count) of client \(client) though it always had answers")
        }
    }

    // MARK: Afterwards

    func expectNoExcess() {
        for client in self.cluster.clients.indices {
            let total = self.cluster.total(client)
            if self.cluster.schedule.keepsExcess { continue }
            // Sockets that a lower limit found open stay.
            if total > max(self.limit, self.found.isEmpty ? 0 : self.found[client]) {
                self.cluster.fault("client \(client) has \(total) open long after, and the limit is \(self.limit)")
            }
        }
        for index in self.cluster.live where self.cluster.nodes[index].ledger.rollCalls > 0 {
            self.cluster.fault("\(self.cluster.nodes[index].name) is in a roll call still")
        }
    }

    func expectNothingLeft() {
        for (bucket, client) in self.cluster.clients.enumerated() {
            let server = self.cluster.server(of: bucket)
            let epochs = self.words(server, ["ZRANGE", .string(RedisKeys.epochs(bucket)), 0, -1])
            let names = Set(self.cluster.live.map { self.cluster.nodes[$0].id })
            for epoch in epochs
            where !names.contains(ClusterSettings.node(ofEpoch: epoch))
                && self.now - max(self.diedAt, self.steppedAt) > .seconds(25) && !self.cluster.day.isSpent(bucket)
            {
                self.cluster.fault("the epoch \(epoch) is of no node")
            }
            let present = self.words(
                server,
                [
                    "ZRANGEBYSCORE", .string(RedisKeys.epochs(bucket)), .integer(server.clock), "+inf",
                ])
            let leases = self.words(server, ["HGETALL", .string(RedisKeys.leases(.socket, of: client))])
            for index in stride(from: 0, to: leases.count - 1, by: 2)
            where names.contains(ClusterSettings.node(ofEpoch: leases[index])) && present.contains(leases[index])
                && !leases[index + 1].hasSuffix(" 0")
            {
                self.cluster.fault("the lease \(leases[index]) \(leases[index + 1]) is left")
            }
            let ungranted = self.words(server, ["HGETALL", .string(RedisKeys.ungranted(.sockets, of: client))])
            for index in stride(from: 0, to: ungranted.count - 1, by: 2)
            where names.contains(ClusterSettings.node(ofEpoch: ungranted[index])) && present.contains(ungranted[index])
            {
                self.cluster.fault("\(ungranted[index]) has \(ungranted[index + 1]) without a grant")
            }
        }
    }

    private func words(_ server: SimulatedServer, _ command: RedisCommand) -> [String] {
        server.ask(command).array?.compactMap(\.string) ?? []
    }
}
