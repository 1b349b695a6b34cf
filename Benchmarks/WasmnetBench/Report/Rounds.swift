/// Runs a workload over its paths alternately, A B C A B C, since the machine's speed drifts: a figure is reported as the median of the
/// ratios within a round.
struct Rounds {
    var count: Int
    var seconds: Double

    func run(_ workload: any Workload, over paths: [Path], in field: Field) throws -> [ReportRow] {
        var samples: [Path: [Sample]] = [:]
        for round in 1...self.count {
            for path in paths {
                Console.note("\(workload.name): round \(round) of \(self.count), \(path.rawValue)")
                samples[path, default: []].append(try workload.run(path, in: field, seconds: self.seconds))
                // Let this run's connections end before the next is measured.
                field.reactor.run(seconds: 2) { field.target.openCount == 0 }
            }
        }
        return workload.measures.map { measure in
            var values: [Path: [Double]] = [:]
            for (path, runs) in samples { values[path] = runs.compactMap { measure.value(of: $0) } }
            return ReportRow(work: workload.name, measure: measure.label, values: values, goal: measure.goal)
        }
    }
}

/// One figure of the report, for each path that was run.
struct ReportRow {
    var work: String
    var measure: String
    var values: [Path: [Double]]
    var goal: Measure.Goal?

    /// The median over the rounds of this path's figure divided by HAProxy's of the same round.
    func ratio(_ path: Path) -> Double? {
        guard let own = self.values[path], let base = self.values[.haproxy] else { return nil }
        return median(zip(own, base).map { $0 / $1 })
    }

    /// Nil if there is no goal, or nothing to compare it with.
    var isMet: Bool? {
        switch self.goal {
        case .atLeast(let goal): self.ratio(.node).map { $0 >= goal }
        case .atMost(let goal): self.ratio(.node).map { $0 <= goal }
        case .below(let goal): median(self.values[.node] ?? []).map { $0 <= goal }
        case nil: nil
        }
    }

    private var goalText: String {
        switch self.goal {
        case .atLeast(let goal): ">= \(format(goal))x"
        case .atMost(let goal): "<= \(format(goal))x"
        case .below(let goal): "<= \(format(goal))"
        case nil: ""
        }
    }

    static let header =
        ["work", "measure"] + Path.allCases.map(\.rawValue) + ["node/HAProxy", "websockify/HAProxy", "goal", ""]

    var cells: [String] {
        let verdict = self.isMet.map { $0 ? "met" : "MISSED" } ?? ""
        return [self.work, self.measure] + Path.allCases.map { format(median(self.values[$0] ?? [])) }
            + [format(self.ratio(.node)), format(self.ratio(.websockify)), self.goalText, verdict]
    }
}

/// A figure that was measured once, and its maximum.
struct FigureRow {
    var work: String
    var measure: String
    var figures: [Path: Double]
    var goal: Double?

    var cells: [String] {
        let own = self.figures[.node]
        let verdict = self.goal.flatMap { goal in own.map { $0 <= goal ? "met" : "MISSED" } } ?? ""
        let ratio = own.flatMap { own in self.figures[.haproxy].map { own / $0 } }
        return [self.work, self.measure] + Path.allCases.map { format(self.figures[$0]) }
            + [format(ratio), "", self.goal.map { "<= \(format($0))" } ?? "", verdict]
    }
}
