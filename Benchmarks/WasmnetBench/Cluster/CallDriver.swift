import NIOCore
import RedisClient
import Synchronization
import WasmnetCluster

/// Sends calls one after the other, with this many in progress at a time, until a time or a count.
final class CallDriver: Sendable {
    struct Outcome: Sendable {
        /// Nanoseconds from sending to answer, sorted.
        var times: [UInt64] = []
        /// Calls without an answer, or that Redis refused.
        var failures = 0

        func percentile(_ percent: Double) -> Double? {
            guard !self.times.isEmpty else { return nil }
            return Double(self.times[Int(Double(self.times.count - 1) * percent / 100)]) / 1000
        }
    }

    private struct State {
        var next: Int
        var underWay = 0
        var isDone = false
        var outcome = Outcome()
    }

    private let redis: RedisClient
    private let make: @Sendable (Int) -> ClusterCall
    private let last: Int
    private let end: UInt64
    private let state: Mutex<State>

    /// Calls 0 to `count`.
    init(_ redis: RedisClient, count: Int, _ make: @escaping @Sendable (Int) -> ClusterCall) {
        (self.redis, self.make, self.last, self.end) = (redis, make, count, .max)
        self.state = Mutex(State(next: 0))
    }

    /// Calls from `first` for this many seconds.
    init(_ redis: RedisClient, first: Int, seconds: Double, _ make: @escaping @Sendable (Int) -> ClusterCall) {
        (self.redis, self.make, self.last, self.end) = (redis, make, .max, Clock.now + UInt64(seconds * 1e9))
        self.state = Mutex(State(next: first))
    }

    func run(inFlight: Int) throws -> Outcome {
        // An answer first, so that there is a connection and no call waits for one.
        let first = self.redis.submit(["PING"])
        _ = try first.wait()
        let done = first.eventLoop.makePromise(of: Void.self)
        for _ in 0..<inFlight { self.send(done) }
        try done.futureResult.wait()
        return self.state.withLock { state in
            state.outcome.times.sort()
            return state.outcome
        }
    }

    private func send(_ done: EventLoopPromise<Void>) {
        let start = Clock.now
        let index: Int? = self.state.withLock { state in
            guard state.next < self.last, start < self.end else { return nil }
            state.underWay += 1
            defer { state.next += 1 }
            return state.next
        }
        guard let index else {
            let isLast = self.state.withLock { state in
                defer { state.isDone = state.isDone || state.underWay == 0 }
                return !state.isDone && state.underWay == 0
            }
            return isLast ? done.succeed() : ()
        }
        let call = self.make(index)
        // Zero: the server's clock decides.
        self.redis.submit(call.script, keys: call.keys.map { .string($0) }, arguments: [0] + call.arguments)
            .whenComplete { result in
                self.state.withLock { state in
                    state.underWay -= 1
                    state.outcome.times.append(Clock.now - start)
                    if !Self.isValid(result, call) { state.outcome.failures += 1 }
                }
                self.send(done)
            }
    }

    private static func isValid(_ result: Result<RESPValue, any Error>, _ call: ClusterCall) -> Bool {
        guard case .success(let reply) = result, let numbers = reply.array?.compactMap(\.int64) else { return false }
        guard numbers.count == call.integers else { return false }
        // The status, where 1 is done; of a grant, bytes of the bandwidth or of the day.
        return call.isGrant ? numbers[0] > 0 || numbers[2] > 0 : numbers[0] == 1
    }
}
