import RedisClient
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetCluster

/// What must hold in a simulation, by what an onlooker sees of it.
final class SimulatedBounds: @unchecked Sendable {
    /// A node that did not hear of Redis for so long that it may open on credit, or that others may have its slots.
    private struct Silence {
        var until: Int64
        /// Slots that it may have beyond the limit.
        var credit = 0
        var held: [Int]
    }

    private unowned let cluster: SimulatedCluster
    private var silences: [Silence?] = []
    private var wasAnySilent = false
    private var lostAt = -Int64.seconds(100)
    private var diedAt = -Int64.seconds(100)
    private var outOfReachUntil = -Int64.seconds(100)

    /// Less than an outage's time; and than a lease has left when its node falls silent.
    private static let creditTime = Int64.seconds(4.9)
    private static let lapseTime = Int64.seconds(9)
    /// The longest roll call, and the time in which an excess goes.
    private static let afterTime = Int64.seconds(26)

    init(_ cluster: SimulatedCluster) { self.cluster = cluster }

    private var now: Int64 { self.cluster.time.now }
    private var mode: OutageMode { self.cluster.schedule.mode }

    /// A dead node's slots are held until Redis' clock shows their end.
    var setBack: Int64 = 0

    func lost() { self.lostAt = self.now }
    func died() { self.diedAt = self.now }
    func isOutOfReach(until end: Int64) { self.outOfReachUntil = max(self.outOfReachUntil, end) }

    /// Whether no node is out of reach that a process that starts now must hear of.
    var mayStart: Bool {
        self.cluster.server.isUp
            && (self.now > self.outOfReachUntil + .seconds(3) || self.now - self.lostAt > .seconds(40))
    }

    /// How long after the last of the schedule there is no excess, and growth again.
    var settlingTime: Int64 {
        let isMissing = self.now - self.diedAt < .seconds(20)
        return self.wasAnySilent || isMissing ? Self.afterTime : .seconds(6)
    }

    // MARK: All the time

    func look() {
        while self.silences.count < self.cluster.nodes.count { self.silences.append(nil) }
        for (index, node) in self.cluster.nodes.enumerated() {
            if !node.isAlive {
                self.silences[index] = nil
                continue
            }
            if let silence = self.silences[index], silence.until < self.now { self.silences[index] = nil }
            guard node.hasJoined, self.now - node.heardAt >= Self.creditTime else { continue }
            self.wasAnySilent = true
            let counts = self.cluster.clients.indices.map { node.sockets[$0].count }
            var silence = self.silences[index] ?? Silence(until: 0, held: counts.map { _ in 0 })
            silence.until = self.now + Self.afterTime
            if self.mode == .static {
                silence.credit = max(silence.credit, max(self.limit / max(node.ledger.nodeCount, 1), 1))
            }
            if self.now - node.heardAt >= Self.lapseTime {
                for (client, count) in counts.enumerated() { silence.held[client] = max(silence.held[client], count) }
            }
            self.silences[index] = silence
        }
    }

    /// Under a lower limit what is open stays, and may be closed and opened again.
    private var found: [Int] = []

    /// To be called before each node's limit falls.
    func lowers() {
        if self.found.isEmpty { self.found = self.cluster.clients.indices.map { _ in 0 } }
        for client in self.found.indices {
            self.found[client] = max(self.found[client], min(self.cluster.total(client), self.bound(client)))
        }
    }

    private var limit: Int { self.cluster.live.map { self.cluster.limits[$0].maxSockets }.max() ?? 0 }

    private func bound(_ client: Int) -> Int {
        self.look()
        let limit = max(self.limit, self.found.isEmpty ? 0 : self.found[client])
        return limit + self.silences.reduce(0) { $0 + ($1.map { $0.credit + $0.held[client] } ?? 0) }
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

    func ends(_ node: SimulatedNode, _ client: Int, _ count: Int, _ isFence: Bool) {
        if !self.wasAnySilent {
            self.cluster.fault("\(node.name) ends \(count) of client \(client) though nothing was silent")
        }
    }

    // MARK: After it

    func expectNoExcess() {
        for client in self.cluster.clients.indices {
            let total = self.cluster.total(client)
            // What a lower limit found open stays.
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
            let epochs = self.words(["ZRANGE", .string(RedisKeys.epochs(bucket)), 0, -1])
            let names = Set(self.cluster.live.map { self.cluster.nodes[$0].id })
            for epoch in epochs
            where !names.contains(ClusterSettings.node(ofEpoch: epoch))
                && self.now - self.diedAt > .seconds(25) + self.setBack
            {
                self.cluster.fault("the epoch \(epoch) is of no node")
            }
            let leases = self.words(["HGETALL", .string(RedisKeys.leases(.socket, of: client))])
            for index in stride(from: 0, to: leases.count - 1, by: 2)
            where names.contains(ClusterSettings.node(ofEpoch: leases[index])) && epochs.contains(leases[index])
                && !leases[index + 1].hasSuffix(" 0")
            {
                self.cluster.fault("the lease \(leases[index]) \(leases[index + 1]) is left")
            }
            let ungranted = self.words(["HGETALL", .string(RedisKeys.ungranted(.sockets, of: client))])
            for index in stride(from: 0, to: ungranted.count - 1, by: 2)
            where names.contains(ClusterSettings.node(ofEpoch: ungranted[index])) && epochs.contains(ungranted[index]) {
                self.cluster.fault("\(ungranted[index]) has \(ungranted[index + 1]) without a grant")
            }
        }
    }

    private func words(_ command: RedisCommand) -> [String] {
        self.cluster.server.ask(command).array?.compactMap(\.string) ?? []
    }
}
