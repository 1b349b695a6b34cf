/// One workload on both sides alternately, A B A B.
struct Comparison {
    var workload: any Workload
    var rounds: Int
    var seconds: Double

    static let header = ["work", "measure", "alone", "Redis", "Redis/alone", "goal", ""]
    /// The minimum of the shared side, relative to the other.
    private static let goal = 0.97

    static func workloads(_ policy: BenchPolicy) -> [any Workload] {
        let name =
            switch policy {
            case .slots: "sockets limited"
            case .counted: "all counted"
            case .gigabit: "1 Gbit/s"
            case .rates: "sockets and connects limited"
            case .tight: "few"
            }
        let bulk: [any Workload] = [
            Bulk(name: "down, \(name)", direction: .down, goal: Self.goal, paths: [.node]),
            Bulk(name: "up, \(name)", direction: .up, goal: Self.goal, paths: [.node]),
        ]
        guard policy != .gigabit else { return bulk }
        return bulk + [Connects(name: "16 connects at once, \(name)", paths: [.node])]
    }

    func rows(_ sides: Sides) throws -> [[String]] {
        var alone: [Sample] = []
        var shared: [Sample] = []
        for round in 1...self.rounds {
            Console.note("\(self.workload.name): round \(round) of \(self.rounds)")
            alone.append(try self.run(sides.alone))
            shared.append(try self.run(sides.shared))
        }
        return self.workload.measures.map { self.row($0, alone, shared) } + [self.callsRow(shared)]
    }

    private func run(_ field: Field) throws -> Sample {
        let sample = try self.workload.run(.node, in: field, seconds: self.seconds)
        // Let this run's connections end before the next is measured.
        field.reactor.run(seconds: 2) { field.target.openCount == 0 }
        return sample
    }

    private func row(_ measure: Measure, _ alone: [Sample], _ shared: [Sample]) -> [String] {
        let (alone, shared) = (alone.map(measure.value), shared.map(measure.value))
        let ratio = median(zip(alone, shared).compactMap { pair in pair.0.flatMap { a in pair.1.map { $0 / a } } })
        var goal = ["", ""]
        if self.workload is Bulk, let ratio {
            goal = [">= \(format(Self.goal))x", ratio >= Self.goal ? "met" : "MISSED"]
        }
        return [
            self.workload.name, measure.label, format(median(alone.compactMap { $0 })),
            format(median(shared.compactMap { $0 })), format(ratio),
        ] + goal
    }

    private func callsRow(_ shared: [Sample]) -> [String] {
        let measure = Measure(kind: .redisCallsPerSecond)
        let calls = median(shared.compactMap(measure.value)) ?? 0
        return [self.workload.name, measure.label, "", format(calls), "", "", ""]
    }
}
