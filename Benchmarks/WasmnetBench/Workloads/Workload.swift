/// One kind of work, done in the same way over every path.
protocol Workload {
    var name: String { get }
    var paths: [Path] { get }
    /// The figures from its samples, a row of the report each.
    var measures: [Measure] { get }
    /// Does the work for this many seconds after a short warm-up.
    func run(_ path: Path, in field: Field, seconds: Double) throws -> Sample
}

/// The results of one run.
struct Sample {
    /// Megabytes (10^6 bytes), messages or connects.
    var units = 0.0
    var seconds = 0.0
    /// The CPU time of the proxy's process; 0 for a direct connection.
    var cpuSeconds = 0.0
    /// Scripts that Redis was asked to run meanwhile.
    var redisCalls = 0
    /// Round trips in nanoseconds, sorted.
    var roundTrips: [UInt64] = []

    func percentile(_ percent: Double) -> Double? {
        guard !self.roundTrips.isEmpty else { return nil }
        let index = Int(Double(self.roundTrips.count - 1) * percent / 100)
        return Double(self.roundTrips[index])
    }
}

/// A figure from a sample, and its goal.
struct Measure {
    enum Kind {
        case perCPUSecond(unit: String)
        case perSecond(unit: String)
        case microseconds(percentile: Double)
        case redisCallsPerSecond
    }

    enum Goal {
        /// At least this many times HAProxy's figure.
        case atLeast(Double)
        /// At most this many times HAProxy's figure.
        case atMost(Double)
        /// At most this, in the row's unit.
        case below(Double)
    }

    var kind: Kind
    var goal: Goal?

    var label: String {
        switch self.kind {
        case .perCPUSecond(let unit): "\(unit)/CPU-s"
        case .perSecond(let unit): "\(unit)/s"
        case .microseconds(let percentile): "p\(Int(percentile)) us"
        case .redisCallsPerSecond: "Redis calls/s"
        }
    }

    func value(of sample: Sample) -> Double? {
        switch self.kind {
        case .perCPUSecond: sample.cpuSeconds > 0 ? sample.units / sample.cpuSeconds : nil
        case .perSecond: sample.seconds > 0 ? sample.units / sample.seconds : nil
        case .microseconds(let percentile): sample.percentile(percentile).map { $0 / 1000 }
        case .redisCallsPerSecond: sample.seconds > 0 ? Double(sample.redisCalls) / sample.seconds : nil
        }
    }
}

extension Field {
    /// Turns for a while, then measures: the increase of `counter`, and the CPU time of the path's proxy.
    func measure(_ path: Path, seconds: Double, counter: () -> Double) throws -> Sample {
        self.reactor.run(seconds: 0.2)
        let proxy = try self.proxy(path)
        let calls = try self.countCalls()
        let (units, cpu, start) = (counter(), proxy?.cpuSeconds ?? 0, Clock.now)
        self.reactor.run(seconds: seconds)
        var sample = Sample(
            units: counter() - units, seconds: Double(Clock.now - start) / 1e9,
            cpuSeconds: (proxy?.cpuSeconds ?? 0) - cpu)
        sample.redisCalls = try self.countCalls() - calls
        return sample
    }
}
