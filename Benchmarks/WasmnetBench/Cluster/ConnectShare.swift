/// The share of a client's connects that made no round trip to Redis.
///
/// Connects are made one after the other, so each that waits for Redis costs a separate call, and at most as many waited as there were
/// calls. The cost of the same client while idle (heartbeat, registry) is excluded; all other calls count, including those without
/// a waiting connect: the share is a lower bound.
struct ConnectShare {
    var work: any Workload
    var hasGoal = true

    static let header = [
        "connects, one by one", "connects/s", "Redis calls/s", "no round trip", "p50 us", "p99 us", "goal", "",
    ]
    private static let goal = 0.9

    static func all(_ policy: BenchPolicy) -> [ConnectShare] {
        let name = policy == .slots ? "sockets limited" : "sockets and connects limited"
        // Requests of a rate are valid for 300 ms, so below about 40 a second there is not always one available.
        return [2.0, 10, 50, 200].map { rate in
            ConnectShare(
                work: Steady(name: "\(Int(rate)) a second, \(name)", connects: rate),
                hasGoal: policy == .slots || rate >= 50)
        } + [ConnectShare(work: Connects(name: "as fast as they go, \(name)", concurrent: 1, paths: [.node]))]
    }

    /// Calls a second of an idle client.
    static func idleCalls(_ field: Field, seconds: Double) throws -> Double {
        let sample = try Steady(name: "idle").run(.node, in: field, seconds: seconds)
        return Double(sample.redisCalls) / sample.seconds
    }

    func cells(_ field: Field, seconds: Double, idleCalls: Double) throws -> [String] {
        Console.note("connects: \(self.work.name)")
        let sample = try self.work.run(.node, in: field, seconds: seconds)
        guard sample.units > 0 else { throw BenchError("no connect came through") }
        let calls = max(0, Double(sample.redisCalls) - idleCalls * sample.seconds)
        let share = max(0, 1 - calls / sample.units)
        let verdict = share >= Self.goal ? "met" : "MISSED"
        return [
            self.work.name, format(sample.units / sample.seconds), format(Double(sample.redisCalls) / sample.seconds),
            "\(format(share * 100)) %", format(sample.percentile(50).map { $0 / 1000 }),
            format(sample.percentile(99).map { $0 / 1000 }),
        ] + (self.hasGoal ? [">= 90 %", verdict] : ["", ""])
    }
}
