/// One Redis under one kind of call: its maximum rate with 64 in progress, and the time of a single one.
struct RedisLoad {
    let work: RedisWork
    let seconds: Double
    private static let inFlight = 64

    init(_ work: RedisWork, seconds: Double) {
        self.work = work
        self.seconds = seconds
    }

    static let header = [
        "one Redis, \(inFlight) calls on their way", "calls/s", "CPUs of Redis", "calls/CPU-s", "p50 us", "p99 us",
        "p50 us alone",
    ]

    func cells() throws -> [String] {
        Console.note("Redis: \(self.work.rawValue)")
        let redis = try RedisProbe()
        defer { redis.stop() }
        try redis.begin()
        let calls = RedisCalls(self.work)
        let prepared = try CallDriver(redis.client, count: calls.preparations, calls.preparation).run(inFlight: 64)
        guard prepared.failures == 0 else { throw BenchError("\(prepared.failures) declarations failed") }
        _ = try self.drive(redis, calls, from: 0, inFlight: Self.inFlight, seconds: 0.2)
        let (cpu, start) = (redis.cpuSeconds, Clock.now)
        let busy = try self.drive(redis, calls, from: 1 << 24, inFlight: Self.inFlight, seconds: self.seconds)
        let (used, elapsed) = (redis.cpuSeconds - cpu, Double(Clock.now - start) / 1e9)
        let single = try self.drive(redis, calls, from: 1 << 28, inFlight: 1, seconds: self.seconds / 2)
        let count = Double(busy.times.count)
        return [
            self.work.rawValue, format(count / elapsed), format(used / elapsed), format(count / used),
            format(busy.percentile(50)), format(busy.percentile(99)), format(single.percentile(50)),
        ]
    }

    private func drive(
        _ redis: RedisProbe, _ calls: RedisCalls, from first: Int, inFlight: Int, seconds: Double
    ) throws -> CallDriver.Outcome {
        let outcome = try CallDriver(redis.client, first: first, seconds: seconds, calls.call).run(inFlight: inFlight)
        guard outcome.failures == 0 else { throw BenchError("\(self.work.rawValue): \(outcome.failures) calls failed") }
        return outcome
    }
}
