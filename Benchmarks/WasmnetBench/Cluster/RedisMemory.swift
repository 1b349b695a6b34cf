import WasmnetCluster
import WasmnetQuota

/// The size of a client's keys in Redis, as `used_memory` grows: its leases on one node, those of one node more, and all keys that a
/// client has while it uses every kind of limit.
struct RedisMemory {
    var clients = 50_000

    static let header = ["memory of Redis", "bytes a client"]

    func rows() throws -> [[String]] {
        Console.note("memory: \(self.clients) clients")
        let redis = try RedisProbe()
        defer { redis.stop() }
        try redis.begin()
        let keys = ClientKeys()
        // Buckets' own keys, and the scripts, count for no client.
        try self.say(redis, count: 1024) { keys.lease(.sockets, of: $0, node: 0, sequence: 1) }
        var last = try redis.usedMemory()
        var rows: [[String]] = []
        func add(_ name: String, _ calls: [@Sendable (Int) -> ClusterCall]) throws {
            for call in calls { try self.say(redis, count: self.clients, call) }
            let now = try redis.usedMemory()
            rows.append([name, format(Double(now - last) / Double(self.clients))])
            last = now
        }
        // Connected, with sockets open.
        try add(
            "leases of sessions and sockets on one node",
            [{ keys.lease(.sessions, of: $0, node: 0) }, { keys.lease(.sockets, of: $0, node: 0) }])
        try add(
            "more, the same on a second node",
            [{ keys.lease(.sessions, of: $0, node: 1) }, { keys.lease(.sockets, of: $0, node: 1) }])
        try add("more, the day's bytes", [{ keys.bytes(of: $0, rate: nil, day: 1 << 40) }])
        try add(
            "more while active: bandwidth, connects, lookups",
            [
                { keys.bytes(of: $0, rate: keys.rate, day: 0) }, { keys.request(.sockets, of: $0) },
                { keys.request(.resolves, of: $0) },
            ])
        return rows
    }

    private func say(_ redis: RedisProbe, count: Int, _ call: @escaping @Sendable (Int) -> ClusterCall) throws {
        let outcome = try CallDriver(redis.client, count: count, call).run(inFlight: 64)
        guard outcome.failures == 0 else { throw BenchError("\(outcome.failures) calls failed") }
    }
}

/// Calls that write the keys of the `index`-th client, so that they stay for minutes.
private struct ClientKeys: Sendable {
    private let settings: ClusterSettings
    let rate = TokenBucket.Rate(bytesPerSecond: 1000, burst: 1_000_000)
    private let pace = GCRA.Pace(perSecond: 0.01, burst: 10)

    init() {
        var settings = ClusterSettings(nodeID: "0123456789abcdef01234567") { .epoch }
        // No heartbeats keep the leases alive here.
        settings.timeToLive = .seconds(600)
        self.settings = settings
    }

    private func client(_ index: Int) -> ClientID {
        ClientID(text: "a:198.\(18 + index >> 16).\(index >> 8 & 0xFF).\(index & 0xFF)")
    }

    func lease(_ resource: ResourceKind, of index: Int, node: Int, sequence: Int64 = 1_000_000_000) -> ClusterCall {
        let query = LedgerQuery(sequence: sequence, slotLimit: 50, target: 4, open: 4, held: 4, sentAt: .epoch)
        return self.reserve(resource, index, query, nil, node: node)
    }

    func request(_ resource: ResourceKind, of index: Int) -> ClusterCall {
        self.reserve(
            resource, index, LedgerQuery(sequence: 1, requests: 1, requestsNeeded: 1, sentAt: .epoch), self.pace,
            node: 0)
    }

    func bytes(of index: Int, rate: TokenBucket.Rate?, day: UInt64) -> ClusterCall {
        .grant(
            of: self.client(index), ByteBudget.Query(wanted: 500_000, wantsDay: day > 0, sentAt: .epoch), rate: rate,
            bytesPerDay: day)
    }

    private func reserve(_ resource: ResourceKind, _ index: Int, _ query: LedgerQuery, _ pace: GCRA.Pace?, node: Int)
        -> ClusterCall
    {
        let leaseState = ClusterCall.LeaseState(
            name: "\(self.settings.nodeID).\(node)", generation: 0, joins: true, stamp: (1, RedisProbe.time))
        return .reserve(resource, of: self.client(index), query, pace: pace, dayLimit: 0, leaseState, self.settings)
    }
}
