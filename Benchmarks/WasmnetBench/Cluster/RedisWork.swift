import WasmnetCluster
import WasmnetQuota

/// A request for slots and connects. The ledger's resource is the client's amount of them, not the generator's.
typealias LedgerQuery = WasmnetCluster.LocalGrant.Query

/// The nodes' calls, one kind at a time, by one node for alternating clients.
enum RedisWork: String, CaseIterable {
    case declare = "declare: slots of a client (reserve.lua)"
    case admit = "admit: a connect of the rate (reserve.lua)"
    case both = "both in one (reserve.lua)"
    case grant = "grant: bandwidth (grant.lua)"
    case grantDay = "grant: bandwidth and a day's lease (grant.lua)"
    case heartbeat = "heartbeat, 1 node in the bucket (heartbeat.lua)"
    case crowdedHeartbeat = "heartbeat, 1,000 nodes in the bucket (heartbeat.lua)"

    /// This many clients, or nodes with leases in one bucket, take turns.
    var count: Int {
        switch self {
        case .heartbeat: RedisKeys.bucketCount
        case .crowdedHeartbeat: 1000
        default: 20_000
        }
    }
}

/// The calls of one kind, as the ledger makes them.
struct RedisCalls: Sendable {
    let work: RedisWork
    private let clients: [ClientID]
    private let settings: ClusterSettings
    private static let rate = TokenBucket.Rate(bytesPerSecond: 125_000_000, burst: 0)
    private static let pace = GCRA.Pace(perSecond: 1000, burst: 2000)
    /// Through these the nodes join the buckets.
    private let firstOfBucket: [ClientID]

    init(_ work: RedisWork) {
        self.work = work
        self.clients = (0..<20_000).map { ClientID(text: "a:198.\(18 + $0 >> 16).\($0 >> 8 & 0xFF).\($0 & 0xFF)") }
        var first: [Int: ClientID] = [:]
        for client in self.clients {
            first[RedisKeys.bucket(of: client)] = first[RedisKeys.bucket(of: client)] ?? client
        }
        self.firstOfBucket = (0..<RedisKeys.bucketCount).compactMap { first[$0] }
        var settings = ClusterSettings(nodeID: "0123456789abcdef01234567") { .epoch }
        // No heartbeats keep the leases alive here.
        settings.timeToLive = .seconds(600)
        self.settings = settings
    }

    /// The required earlier declarations: everyone's leases, so that none is the first of its client or its node.
    var preparations: Int {
        switch self.work {
        case .heartbeat, .crowdedHeartbeat: self.work.count
        default: self.clients.count
        }
    }

    func preparation(_ index: Int) -> ClusterCall {
        switch self.work {
        case .heartbeat: self.declare(self.firstOfBucket[index], index, joins: true)
        case .crowdedHeartbeat: self.declare(self.firstOfBucket[0], index, node: index, joins: true)
        default: self.declare(self.clients[index], index, joins: true)
        }
    }

    /// The `index`-th call, from 0.
    func call(_ index: Int) -> ClusterCall {
        let client = self.clients[index % self.clients.count]
        let sequence = index + self.clients.count
        switch self.work {
        case .declare: return self.declare(client, sequence, joins: false)
        case .admit: return self.reserve(client, self.admit(sequence))
        case .both:
            var query = self.slots(sequence)
            (query.requests, query.requestsNeeded) = (1, 1)
            return self.reserve(client, query)
        case .grant: return self.grant(client, wantsDay: false)
        case .grantDay: return self.grant(client, wantsDay: true)
        case .heartbeat:
            return .heartbeat(bucket: index % RedisKeys.bucketCount, self.leaseState(joins: false), self.settings)
        case .crowdedHeartbeat:
            let leaseState = self.leaseState(node: index % self.work.count, joins: false)
            return .heartbeat(bucket: RedisKeys.bucket(of: self.firstOfBucket[0]), leaseState, self.settings)
        }
    }

    func leaseState(node: Int = 0, joins: Bool) -> ClusterCall.LeaseState {
        let name = "\(self.settings.nodeID).\(node)"
        return ClusterCall.LeaseState(name: name, generation: 0, joins: joins, stamp: (1, RedisProbe.time))
    }

    /// One more slot of the fifty is needed; a few are kept spare.
    private func slots(_ sequence: Int) -> LedgerQuery {
        let open = 3 + sequence & 1
        return LedgerQuery(
            sequence: Int64(sequence), slotLimit: 50, target: open + 8, open: open, held: open, slotNeeded: true,
            sentAt: .epoch)
    }

    private func admit(_ sequence: Int) -> LedgerQuery {
        LedgerQuery(sequence: Int64(sequence), requests: 1, requestsNeeded: 1, sentAt: .epoch)
    }

    private func declare(_ client: ClientID, _ sequence: Int, node: Int = 0, joins: Bool) -> ClusterCall {
        .reserve(
            .sockets, of: client, self.slots(sequence), pace: nil, dayLimit: 0,
            self.leaseState(node: node, joins: joins), self.settings)
    }

    private func reserve(_ client: ClientID, _ query: LedgerQuery) -> ClusterCall {
        .reserve(
            .sockets, of: client, query, pace: Self.pace, dayLimit: 0, self.leaseState(joins: false), self.settings)
    }

    private func grant(_ client: ClientID, wantsDay: Bool) -> ClusterCall {
        .grant(
            of: client, ByteBudget.Query(wanted: 100_000, wantsDay: wantsDay, sentAt: .epoch), rate: Self.rate,
            bytesPerDay: wantsDay ? 1 << 50 : 0)
    }
}
