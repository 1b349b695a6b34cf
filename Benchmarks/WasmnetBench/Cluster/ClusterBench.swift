import ArgumentParser

/// The cost for a node of limits that a cluster shares in Redis, and the capacity of one Redis.
struct ClusterBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "A node with --redis beside one without, and what one Redis carries.",
        discussion: """
            Starts redis-server and the nodes itself, on 127.0.0.1. All sessions are one client's, and nothing else uses that Redis. \
            Redis calls are those of EVALSHA and EVAL in INFO commandstats: whatever the node sends, heartbeats and registry included. \
            A node with Redis and one without do the same work in turns; ratios are medians of the ratios within a round.
            """)

    @Option(help: "The wasmnet-node to measure, built in release.")
    var node: String

    @Option(help: "Rounds of each comparison; 1 or more.")
    var rounds = 5

    @Option(help: "Seconds each run of a comparison is measured, after a warm-up.")
    var seconds = 1.0

    @Option(help: "Seconds over which calls to Redis are counted; heartbeats come every 5 s.")
    var countSeconds = 10.0

    @Option(help: "Only these parts, with commas between them: compare, connects, calls, redis, idle, memory.")
    var only: String?

    func validate() throws {
        guard self.rounds >= 1 else { throw ValidationError("--rounds must be 1 or more") }
        guard self.seconds > 0, self.countSeconds > 0 else { throw ValidationError("seconds must be more than 0") }
    }

    func run() throws {
        if self.wants("compare") { try self.print(Comparison.header, self.compare()) }
        if self.wants("connects") { try self.print(ConnectShare.header, self.connects()) }
        if self.wants("calls") { try self.print(CallCount.header, self.calls()) }
        if self.wants("redis") {
            try self.print(
                RedisLoad.header, RedisWork.allCases.map { try RedisLoad($0, seconds: self.seconds).cells() })
        }
        if self.wants("idle") { try self.print(LedgerTick.header, LedgerTick().rows(seconds: self.countSeconds)) }
        if self.wants("memory") { try self.print(RedisMemory.header, RedisMemory().rows()) }
    }

    private func wants(_ part: String) -> Bool {
        self.only.map { $0.split(separator: ",").contains { $0 == part } } ?? true
    }

    private func print(_ header: [String], _ rows: [[String]]) throws {
        Swift.print(Table(header: header, rows: rows).text + "\n")
    }

    private func compare() throws -> [[String]] {
        try BenchPolicy.allCases.flatMap { policy in
            try Sides.with(policy, executable: self.node) { sides in
                try Comparison.workloads(policy).flatMap {
                    try Comparison(workload: $0, rounds: self.rounds, seconds: self.seconds).rows(sides)
                }
            }
        }
    }

    private func connects() throws -> [[String]] {
        try [BenchPolicy.slots, .rates].flatMap { policy in
            try Sides.with(policy, executable: self.node) { sides in
                let idle = try ConnectShare.idleCalls(sides.shared, seconds: self.countSeconds)
                return try ConnectShare.all(policy).map {
                    try $0.cells(sides.shared, seconds: self.countSeconds, idleCalls: idle)
                }
            }
        }
    }

    private func calls() throws -> [[String]] {
        try CallCount.all.map { count in
            try Sides.with(count.policy, executable: self.node) {
                try count.cells($0.shared, seconds: self.countSeconds)
            }
        }
    }
}
