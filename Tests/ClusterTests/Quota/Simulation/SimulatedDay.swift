import RedisClient
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetCluster

/// The bytes that each client passed, beside the limit of its day.
///
/// The bound is the limit, what Redis forgot, and in the mode `static` each cut-off node's part of the rest that it last heard of.
final class SimulatedDay: @unchecked Sendable {
    private unowned let cluster: SimulatedCluster
    private let limit: Int64
    private var passed: [Int64]
    /// Debits that a loss of data took back.
    private var forgotten: [Int64]
    /// What nodes may pass beyond their leases.
    private var credit: [Int64]
    /// A node died with bytes that may not be charged yet.
    private var mayOwe = false

    init(_ cluster: SimulatedCluster) {
        self.cluster = cluster
        self.limit = Int64(cluster.schedule.bytesPerDay)
        let zeros = cluster.clients.map { _ in Int64(0) }
        (self.passed, self.forgotten, self.credit) = (zeros, zeros, zeros)
    }

    func passes(_ bytes: Int, of client: Int, on node: SimulatedNode) {
        self.passed[client] += Int64(bytes)
        let bound = self.limit + self.forgotten[client] + self.credit[client]
        guard self.passed[client] > bound else { return }
        self.cluster.fault(
            "client \(client) passed \(self.passed[client]) bytes, the last on \(node.name), and \(bound) is the bound")
    }

    /// What a node may pass of a client beyond its leases, if Redis does not answer it: its part of the rest that it last heard of. A node
    /// that does not know the client any more takes the limit for the rest.
    func credit(of client: Int, on node: SimulatedNode) -> Int64 {
        guard self.limit > 0, self.cluster.schedule.mode == .static else { return 0 }
        return (node.dayBytesLeft(of: client) ?? self.limit) / Int64(max(node.ledger.nodeCount, 1))
    }

    /// A node's credit is higher than it was by this.
    func mayExceed(by bytes: Int64, of client: Int) { self.credit[client] += bytes }

    /// Whether a client's day is spent, so that nothing is requested for it.
    func isSpent(_ client: Int) -> Bool { self.limit > 0 && self.debited(client) >= self.limit }

    /// Does something that may lose data.
    func loses(_ body: () -> Void) {
        guard self.limit > 0 else { return body() }
        let before = self.cluster.clients.indices.map(self.debited)
        body()
        for client in self.cluster.clients.indices {
            self.forgotten[client] += max(before[client] - self.debited(client), 0)
        }
    }

    func died() { self.mayOwe = true }

    private func debited(_ client: Int) -> Int64 {
        let key = RedisKeys.day(of: self.cluster.clients[client])
        let used = self.cluster.server(of: client).ask(["HGET", .string(key), "used"])
        return used.string.flatMap { Int64($0) } ?? 0
    }

    /// Bytes are left in Redis, and a node gets none.
    func expectMore(of client: Int, on node: SimulatedNode, limits: ClientLimits) {
        guard self.limit > 0 else { return }
        var isDone = false
        func attempt() {
            guard !isDone else { return }
            isDone = node.pass(1, of: client, limits) > 0
            node.after(.milliseconds(50)) { attempt() }
        }
        attempt()
        node.after(.seconds(1.4)) {
            guard !isDone else { return }
            isDone = true
            let left = self.limit - self.debited(client)
            if left > 0 {
                self.cluster.fault("\(left) bytes of client \(client) are left, and \(node.name) gets none")
            }
        }
    }

    /// All is charged, and unused leases were returned.
    func expectAllCharged() {
        guard self.limit > 0, !self.mayOwe else { return }
        for client in self.cluster.clients.indices {
            let charged = self.debited(client) + self.forgotten[client]
            if charged < self.passed[client] {
                self.cluster.fault("client \(client) passed \(self.passed[client]) bytes, and \(charged) are charged")
            }
        }
    }
}
