import ArgumentParser

@main
struct WasmnetBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wasmnet-bench",
        abstract: "Load for a node, side by side with HAProxy in TCP mode, websockify and a direct connection.",
        discussion: """
            One thread plays every client and every target; the proxy is a process of its own with one thread, and what it used of the \
            CPU is read from the kernel. Figures are medians over the rounds; ratios are medians of the ratios within a round.
            """,
        subcommands: [
            Relay.self, Micro.self, DenylistBench.self, ClusterBench.self, HostileBench.self, HostileLoad.self,
        ],
        defaultSubcommand: Relay.self)
}

/// The rounds and paths to run.
struct RelayOptions: ParsableArguments {
    @Option(help: "The wasmnet-node to measure, built in release.")
    var node: String

    @Option(help: "Rounds of each workload; 1 or more.")
    var rounds = 5

    @Option(help: "Seconds each run is measured, after a warm-up.")
    var seconds = 1.0

    @Option(help: "Seconds a stalled reader stays stalled.")
    var stallSeconds = 30.0

    @Option(help: "Only the work whose name has this in it.")
    var only: String?

    @Option(help: "Only these paths, with commas between them: node, HAProxy, websockify, direct.")
    var paths: String?

    func validate() throws {
        guard self.rounds >= 1 else { throw ValidationError("--rounds must be 1 or more") }
        guard self.seconds > 0 else { throw ValidationError("--seconds must be more than 0") }
    }

    func wants(_ path: Path) -> Bool {
        self.paths.map { $0.split(separator: ",").contains { $0 == path.rawValue } } ?? true
    }

    func wants(_ name: String) -> Bool { self.only.map { name.contains($0) } ?? true }
}

struct Relay: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Throughput, latency and connects.")

    @OptionGroup var options: RelayOptions

    func run() throws {
        let field = try Field(NodeSetup(executable: self.options.node))
        defer { field.stop() }
        let rounds = Rounds(count: self.options.rounds, seconds: self.options.seconds)
        var table = Table(header: ReportRow.header)
        for workload in Catalogue.all where self.options.wants(workload.name) {
            table.rows += try rounds.run(workload, over: workload.paths.filter { self.options.wants($0) }, in: field)
                .map(\.cells)
        }
        if self.options.wants("idle memory") { table.rows += try IdleMemory().run(in: field).map(\.cells) }
        if self.options.wants("stalled reader") {
            table.rows += try StalledReader(seconds: self.options.stallSeconds).run(in: field).map(\.cells)
        }
        if self.options.wants("scrapes") { table.rows += try Scrapes().run(in: field).map(\.cells) }
        if self.options.wants("many sessions") { table.rows += try ManySessions().run(in: field).map(\.cells) }
        print(table.text)
    }
}

struct Micro: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "What a message costs the codec, and a decision the policy.")

    func run() throws {
        print(Table(header: ["codec", "payload bytes", "ns", "MB/s"], rows: CodecBenchmark.rows()).text)
        print()
        print(Table(header: ["policy decision", "ns", "goal", ""], rows: try PolicyBenchmark.rows()).text)
        print()
    }
}
