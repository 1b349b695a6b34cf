import NIOCore
import RedisClient
package import Synchronization
import WasmnetNet
import WasmnetPolicy
package import WasmnetQuota

/// What all clients of the Redis ledger share: the connection, the settings, and their counters.
final class ClusterLink: Sendable {
    let carrier: any ScriptCarrier
    let settings: ClusterSettings
    let totals: LedgerTotals
    let counters = ClusterCounters()
    let events: ClusterEvents
    private let nodes = Guarded(NodeCount())
    /// One for a single server; in a Redis Cluster one for each bucket, since each may be on another server.
    private let reaches: [RedisReach]
    /// Requests that wait for answers, of all clients.
    let waiting = Atomic<Int>(0)

    init(carrier: any ScriptCarrier, settings: ClusterSettings, events: ClusterEvents) {
        self.carrier = carrier
        self.settings = settings
        self.currentModes = Guarded(settings.modes)
        self.totals = LedgerTotals(clock: settings.clock)
        self.events = events
        self.reaches = (0..<(carrier.isCluster ? RedisKeys.bucketCount : 1)).map { _ in
            RedisReach(outageTime: settings.outageTime)
        }
    }

    var now: QuotaInstant { self.settings.clock() }

    /// Nodes in the last registry read, this one included; at least 1.
    var nodeCount: Int {
        get { self.nodes.withLock { $0.latest } }
        set {
            let now = self.now
            self.nodes.withLock { $0.read(newValue, now: now) }
        }
    }

    private let lossCount = Atomic<Int>(0)
    /// The first loss noticed in the present roll call: when, and whether its length was reported.
    private let loss = Guarded<(began: QuotaInstant, isLong: Bool)?>(nil)
    /// With all nodes alive a roll call takes less than this.
    private static let longRollCall = QuotaDuration.seconds(5)

    /// How often a loss of a bucket's data was noticed.
    var losses: Int { self.lossCount.load(ordering: .relaxed) }

    /// How long the present roll call has lasted; nil where there is none.
    func rollCallTime(now: QuotaInstant) -> QuotaDuration? { self.loss.withLock { $0.map { now - $0.began } } }

    /// The buckets of one loss are noticed one after the other; it is reported once.
    func noticedLoss() {
        self.lossCount.wrappingAdd(1, ordering: .relaxed)
        let now = self.now
        let isFirst = self.loss.withLock { loss in
            defer { loss = loss ?? (now, false) }
            return loss == nil
        }
        if isFirst { self.events.lost() }
    }

    private let hasHeard = Atomic<Bool>(false)

    /// An answer arrived that shows the state of a bucket's data.
    func heardOfData() { self.hasHeard.store(true, ordering: .relaxed) }

    /// Whether such an answer arrived since the last call.
    func hasHeardOfData() -> Bool { self.hasHeard.exchange(false, ordering: .relaxed) }

    /// - Parameter isInRollCall: whether any bucket is in a roll call.
    func lookAtRollCall(now: QuotaInstant, isInRollCall: () -> Bool) {
        guard let (began, isLong) = self.loss.withLock({ $0 }) else { return }
        if !isInRollCall() {
            self.loss.withLock { $0 = nil }
            self.events.recovered(now - began)
        } else if !isLong, now - began >= Self.longRollCall {
            self.loss.withLock { $0?.isLong = true }
            self.events.rollCallIsLong(self.missing.withLock { $0 })
        }
    }

    /// The nodes that a roll call last waited for; the first 52 of them.
    private let missing = Guarded<[String]>([])

    func isMissing(_ nodes: [String]) { self.missing.withLock { $0 = nodes } }

    /// The nodes that a roll call waits for.
    let peers = Guarded(Peers())

    /// How many shares limits are divided into while Redis does not answer.
    func parts(now: QuotaInstant) -> Int { self.nodes.withLock { $0.largest(now: now) } }

    /// Whether slots may be opened on credit in an outage that begins now.
    var allowsCredit: Bool { self.nodes.withLock { $0.allowsCredit } }

    /// How the server of a bucket answers.
    func reach(ofBucket index: Int) -> RedisReach { self.reaches[self.reaches.count == 1 ? 0 : index] }

    /// Outages in progress.
    var outages: Int { self.reaches.count { $0.isOutage } }

    private let currentModes: Guarded<OutageModes>

    var modes: OutageModes {
        get { self.currentModes.withLock { $0 } }
        set { self.currentModes.withLock { $0 = newValue } }
    }

    private let sequence = Atomic<Int64>(0)

    /// A sequence number above all earlier ones, for any client, so that a client that is forgotten and returns continues the sequence.
    func nextSequence() -> Int64 { self.sequence.wrappingAdd(1, ordering: .relaxed).newValue }

    /// The first argument of every script.
    var clockArgument: RedisArgument {
        self.settings.usesOwnClock ? .integer(self.now.microseconds) : 0
    }

    /// Runs a script on a bucket that answers with integers. An error about its keys only is an answer too: keys of the wrong
    /// type are removed.
    ///
    /// - Parameter deadline: nil: the connection's default.
    func run(
        _ call: ClusterCall, bucket: Int, deadline: TimeAmount? = nil,
        _ body: @escaping @Sendable (Result<[Int64], RedisError>) -> Void
    ) {
        let reach = self.reach(ofBucket: bucket)
        let sentAt = self.now
        reach.asked(now: sentAt)
        self.send(call, deadline: deadline) { numbers in
            switch numbers {
            case .success(let numbers): self.answered(reach, time: numbers.last, sentAt: sentAt)
            case .failure(let error) where error.isOfKeys:
                self.answered(reach, time: nil, sentAt: sentAt)
                self.repair(call)
            case .failure(let error): self.failed(error)
            }
            body(numbers)
        }
    }

    private func repair(_ call: ClusterCall) {
        self.send(.repair(of: call)) { [events] numbers in
            if case .success(let counts) = numbers, counts[0] > 0 { events.repaired(call.keys, Int(counts[0])) }
        }
    }

    private func send(
        _ call: ClusterCall, deadline: TimeAmount? = nil,
        _ body: @escaping @Sendable (Result<[Int64], RedisError>) -> Void
    ) {
        self.counters.calls.wrappingAdd(1, ordering: .relaxed)
        self.carrier.run(
            call.script, keys: call.keys.map { .string($0) }, arguments: [self.clockArgument] + call.arguments,
            deadline: deadline
        ) { [counters] result in
            let numbers = result.flatMap { reply in
                Result { () throws(RedisError) in try Self.numbers(reply, count: call.integers) }
            }
            if case .failure = numbers { counters.failures.wrappingAdd(1, ordering: .relaxed) }
            body(numbers)
        }
    }

    /// Why the last query had no answer.
    private let lastFailure = Guarded<(code: String?, words: String)?>(nil)

    /// The error code of a Redis that answers but refuses, such as OOM or READONLY; nil where it does not answer.
    var refusalCode: String? { self.lastFailure.withLock { $0?.code } }

    private func failed(_ error: RedisError) { self.lastFailure.withLock { $0 = (error.serverCode, "\(error)") } }

    private func answered(_ reach: RedisReach, time: Int64?, sentAt: QuotaInstant) {
        if reach.answered(time: time, sentAt: sentAt, now: self.now) { self.events.modeChanged(self.outages, nil) }
    }

    /// In a Redis Cluster the lost server may not be the one being queried.
    func disconnected(_ reason: RedisError) {
        self.failed(reason)
        if self.reaches.count == 1 { self.reaches[0].asked(now: self.now) }
    }

    /// In a Redis Cluster the new connection may be to any of the servers.
    func connected() { for reach in self.reaches { reach.connected() } }

    /// To be called four times a second.
    func tick(now: QuotaInstant) {
        for reach in self.reaches where reach.tick(now: now) {
            self.events.modeChanged(self.outages, self.lastFailure.withLock { $0?.words } ?? "no answer came")
        }
    }
}

extension RedisError {
    fileprivate var serverCode: String? {
        if case .server(let error) = self { String(error.code) } else { nil }
    }

    /// The keys' contents are wrong, for example of another type; Redis itself answers and would accept other writes.
    var isOfKeys: Bool {
        guard case .server(let error) = self else { return false }
        // Redis 6 puts ERR and the script's location before the message.
        let words = "\(error)".utf8
        return Self.wordsOfKeys.contains { words.contains($0.utf8) }
    }

    private static let wordsOfKeys = [
        "WRONGTYPE", "attempt to", "bad argument", "is not an integer", "is not a valid float",
    ]
}

extension ClusterLink {
    /// The range of a script's numbers: integers that a double holds exactly. Sums of such numbers fit.
    static let range: ClosedRange<Int64> = -(1 << 53)...(1 << 53)

    /// A limit as a script argument.
    static func number(_ limit: UInt64) -> Int64 { min(Int64(clamping: limit), self.range.upperBound) }

    /// A script's answer.
    static func numbers(_ reply: RESPValue, count: Int) throws(RedisError) -> [Int64] {
        guard let numbers = reply.array?.compactMap(\.int64), numbers.count == count,
            numbers.allSatisfy(Self.range.contains)
        else {
            throw .unavailable("a script answered with something other than \(count) numbers of -2^53 to 2^53")
        }
        return numbers
    }
}

/// Events of the ledger.
package struct ClusterEvents: Sendable {
    /// Sockets of a client were opened in an outage that the cluster has no room for: this many must end.
    package var excess: @Sendable (ClientID, Int) -> Void = { _, _ in }
    /// In the mode `fence` a client's leases ended: this many of its sockets must end, and its sessions if `sessions`.
    package var fenced: @Sendable (ClientID, _ sockets: Int, _ sessions: Bool) -> Void = { _, _, _ in }
    /// This many of these keys in Redis had the wrong type, and were removed.
    package var repaired: @Sendable (_ keys: [String], _ removed: Int) -> Void = { _, _ in }
    /// A loss: nothing grows until all nodes have declared again what they hold.
    package var lost: @Sendable () -> Void = {}
    /// Some nodes have not declared for seconds: they are gone, or run an earlier version. Their ids, as far as known.
    package var rollCallIsLong: @Sendable (_ missing: [String]) -> Void = { _ in }
    /// The roll call is over; the time since the loss was noticed.
    package var recovered: @Sendable (QuotaDuration) -> Void = { _ in }
    /// The registry must be read: ``RedisLedger/registered(_:)``.
    package var peersNeeded: @Sendable () -> Void = {}
    /// An outage began or ended; the number in progress and, if one began, the reason.
    package var modeChanged: @Sendable (_ outages: Int, _ reason: String?) -> Void = { _, _ in }

    package init() {}
}

/// The ledger's counters, for metrics and benchmarks. They only grow.
package final class ClusterCounters: Sendable {
    /// Scripts sent.
    package let calls = Atomic<Int>(0)
    /// Scripts without a valid answer.
    package let failures = Atomic<Int>(0)
    /// Reservations answered locally.
    package let local = Atomic<Int>(0)
    /// Reservations that waited for Redis.
    package let waited = Atomic<Int>(0)
    /// Epochs left because their lease had ended, or Redis no longer knew them.
    package let fences = Atomic<Int>(0)
    /// Sockets ended because their client had more open than its limit.
    package let excess = Atomic<Int>(0)
    /// Bytes granted, including those that expired unused.
    package let grantedBytes = Atomic<Int>(0)

    init() {}

    func reserved(waited: Bool) {
        if waited {
            self.waited.wrappingAdd(1, ordering: .relaxed)
        } else {
            self.local.wrappingAdd(1, ordering: .relaxed)
        }
    }
}
