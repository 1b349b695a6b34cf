/// The effect of a group on the honest client and on the node, beside the bounds.
struct Verdict {
    static let maxRatio = 5.0
    static let maxGrownMiB = 32.0
    static let maxLinesPerSecond = 100.0

    var crowd: Crowd
    var polite: [CrowdRun]
    var hostile: [CrowdRun]
    /// Bytes.
    var grown: Int
    var hasCrashed: Bool

    /// The median over the rounds of the honest client's p99 beside the hostile ones, divided by that beside the polite ones of the
    /// same round.
    private var ratio: Double {
        median(zip(self.polite, self.hostile).map { $1.percentile(99) / $0.percentile(99) }) ?? .infinity
    }
    private var grownMiB: Double { Double(self.grown) / 1_048_576 }
    /// Over all rounds, since a client's first lines arrive at once; without the access log's line for each socket that was open, of
    /// which there are as many as the policy allows.
    private var linesPerSecond: Double { Self.rate(self.hostile) { Double($0.logLines - $0.socketLines) } }
    /// The honest client's in all runs, and polite clients that the node ended.
    private var failures: Int {
        (self.polite + self.hostile).reduce(0) { $0 + $1.failures } + self.polite.reduce(0) { $0 + $1.ended }
    }
    /// The share of the polite clients' offered messages that the node accepted.
    private var politeShare: Double { Self.rate(self.polite) { Double($0.sent) } / self.crowd.rate }

    var misses: [String] {
        var misses: [String] = []
        if self.hasCrashed { misses.append("crash") }
        if self.ratio > Self.maxRatio { misses.append("p99") }
        if self.grownMiB >= Self.maxGrownMiB { misses.append("memory") }
        if self.linesPerSecond >= Self.maxLinesPerSecond { misses.append("log") }
        if self.failures > 0 { misses.append("failures") }
        if self.politeShare < 0.9 { misses.append("polite clients held up") }
        return misses
    }

    static let header = [
        "abuse", "offered/s", "taken/s", "p50 ms: polite", "hostile", "p99 ms: polite", "hostile", "ratio (<=5)",
        "MiB grown (<32)", "log lines/s (<100)", "and of sockets", "ended", "failures (0)", "node CPU: polite",
        "hostile",
        "missed",
    ]

    var cells: [String] {
        func middle(_ runs: [CrowdRun], _ percent: Double) -> String {
            format(median(runs.map { $0.percentile(percent) }))
        }
        return [
            self.crowd.name, format(self.crowd.rate), format(Self.rate(self.hostile) { Double($0.sent) }),
            middle(self.polite, 50), middle(self.hostile, 50), middle(self.polite, 99), middle(self.hostile, 99),
            format(self.ratio), format(self.grownMiB), format(self.linesPerSecond),
            format(Self.rate(self.hostile) { Double($0.socketLines) }), "\(self.hostile.reduce(0) { $0 + $1.ended })",
            "\(self.failures)",
            format(Self.rate(self.polite, \.cpuSeconds)), format(Self.rate(self.hostile, \.cpuSeconds)),
            self.misses.joined(separator: ", "),
        ]
    }

    private static func rate(_ runs: [CrowdRun], _ value: (CrowdRun) -> Double) -> Double {
        runs.reduce(0) { $0 + value($1) } / max(0.001, runs.reduce(0) { $0 + $1.seconds })
    }
}
