import NIOCore
import RedisClient
package import Synchronization
import WasmnetPolicy
package import WasmnetQuota

/// What all clients of the Redis ledger use together: the connection, the settings, and what is counted of both.
final class ClusterLink: Sendable {
    let redis: RedisClient
    let settings: ClusterSettings
    let totals: LedgerTotals
    let counters = ClusterCounters()
    let events: ClusterEvents
    /// Nodes last heard of, this one included; at least 1.
    private let nodes = Atomic<Int>(1)

    init(redis: RedisClient, settings: ClusterSettings, events: ClusterEvents) {
        self.redis = redis
        self.settings = settings
        self.currentModes = Guarded(settings.modes)
        self.totals = LedgerTotals(clock: settings.clock)
        self.events = events
    }

    var now: QuotaInstant { self.settings.clock() }

    var nodeCount: Int {
        get { self.nodes.load(ordering: .relaxed) }
        set { self.nodes.store(max(newValue, 1), ordering: .relaxed) }
    }

    private let currentModes: Guarded<OutageModes>

    var modes: OutageModes {
        get { self.currentModes.withLock { $0 } }
        set { self.currentModes.withLock { $0 = newValue } }
    }

    private let degraded = Atomic<Int>(0)
    private let sequence = Atomic<Int64>(0)

    /// A sequence number above all that were given out before, whatever the client: one that is forgotten and comes again goes on.
    func nextSequence() -> Int64 { self.sequence.wrappingAdd(1, ordering: .relaxed).newValue }

    /// - Returns: buckets out of order now.
    func change(degraded change: Int) -> Int { self.degraded.wrappingAdd(change, ordering: .relaxed).newValue }

    /// The first argument of every script.
    var clockArgument: RedisArgument {
        self.settings.usesOwnClock ? .integer(self.now.microseconds) : 0
    }

    /// Runs a script that answers with integers.
    func run(_ call: ClusterCall, _ body: @escaping @Sendable (Result<[Int64], RedisError>) -> Void) {
        self.counters.calls.wrappingAdd(1, ordering: .relaxed)
        self.redis.submit(
            call.script, keys: call.keys.map { .string($0) }, arguments: [self.clockArgument] + call.arguments
        ).whenComplete { result in
            switch result {
            case .success(let reply):
                do throws(RedisError) {
                    body(.success(try Self.numbers(reply, count: call.integers)))
                } catch {
                    self.counters.failures.wrappingAdd(1, ordering: .relaxed)
                    body(.failure(error))
                }
            case .failure(let error):
                self.counters.failures.wrappingAdd(1, ordering: .relaxed)
                body(.failure((error as? RedisError) ?? .unavailable("\(error)")))
            }
        }
    }
}

extension ClusterLink {
    /// What a number of a script can be: all that a double tells apart. Sums of such numbers fit.
    static let range: ClosedRange<Int64> = -(1 << 53)...(1 << 53)

    /// What a script answers with.
    static func numbers(_ reply: RESPValue, count: Int) throws(RedisError) -> [Int64] {
        guard let numbers = reply.array?.compactMap(\.int64), numbers.count == count,
            numbers.allSatisfy(Self.range.contains)
        else {
            throw .unavailable("a script answered with something else than \(count) numbers of -2^53 to 2^53")
        }
        return numbers
    }
}

/// What the ledger tells others.
package struct ClusterEvents: Sendable {
    /// Sockets of a client are open that the cluster has given to others: so many must end.
    package var excess: @Sendable (ClientID, Int) -> Void = { _, _ in }
    /// A bucket's mode changed; buckets out of order after it, and the words of what went wrong.
    package var modeChanged: @Sendable (_ degradedBuckets: Int, _ reason: String?) -> Void = { _, _ in }

    package init() {}
}

/// What the ledger has done, for metrics and benchmarks. Only ever grows.
package final class ClusterCounters: Sendable {
    /// Scripts sent.
    package let calls = Atomic<Int>(0)
    /// Scripts without a sound answer.
    package let failures = Atomic<Int>(0)
    /// Reservations answered from what was here.
    package let local = Atomic<Int>(0)
    /// Reservations that waited for Redis.
    package let waited = Atomic<Int>(0)
    /// Epochs that were left because their lease had ended, or Redis did not know them any more.
    package let fences = Atomic<Int>(0)
    /// Bytes granted, and those of them that were lost unused are not told apart.
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
