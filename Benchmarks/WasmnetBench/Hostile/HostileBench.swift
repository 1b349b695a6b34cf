import ArgumentParser
import Foundation

/// The abuses, and their duration.
struct HostileOptions: ParsableArguments {
    @Option(help: "The wasmnet-node to try, built in release.")
    var node: String

    @Option(help: "The processor that the node runs on; this program should run on another.")
    var nodeProcessor = 0

    @Option(help: "Rounds of each abuse; 1 or more.")
    var rounds = 3

    @Option(help: "Seconds of abuse in a round.")
    var seconds = 3.0

    @Option(help: "Seconds of the same by well-behaved clients in a round.")
    var politeSeconds = 1.5

    @Option(help: "Only these abuses, with commas between them.")
    var only: String?

    @Option(help: "A policy file in place of the run's own.")
    var policy: String?

    func validate() throws {
        guard self.rounds >= 1 else { throw ValidationError("--rounds must be 1 or more") }
        guard self.seconds > 0, self.politeSeconds > 0 else { throw ValidationError("seconds must be more than 0") }
    }

    var crowds: [Crowd] {
        guard let only = self.only?.split(separator: ",").map(String.init) else { return Crowd.all }
        return Crowd.all.filter { only.contains($0.name) }
    }
}

/// The effect of hostile clients that stay within their quotas on an honest one.
struct HostileBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hostile", abstract: "An honest client beside 8 hostile ones, and beside 8 well-behaved ones.",
        discussion: """
            Runs in a network namespace of its own whose name server is 127.0.0.53 (`make hostile` makes it). The honest client sends \
            64 bytes there and back each millisecond. Exits with 1 when a bound is missed.
            """)

    @OptionGroup var options: HostileOptions

    func run() throws {
        let folder = try Proxy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: folder) }
        let policy = folder.appendingPathComponent("policy.toml")
        try Self.policy.write(to: policy, atomically: true, encoding: .utf8)
        let reactor = Reactor()
        let target = try Target(on: reactor)
        let names = try NameServer(on: reactor)
        defer {
            names.stop()
            target.stop()
        }
        var verdicts: [Verdict] = []
        for crowd in self.options.crowds {
            Console.note("\(crowd.name): \(self.options.rounds) rounds")
            let node = try WatchedNode(
                executable: self.options.node, processor: self.options.nodeProcessor,
                policy: self.options.policy ?? policy.path, on: reactor)
            defer { node.stop() }
            let verdict = try Trial(crowd, node: node, target: target, on: reactor).run(self.options)
            if verdict.hasCrashed { Console.note("the node ended; the last of its log:\n\(node.logTail)") }
            verdicts.append(verdict)
        }
        print(Table(header: Verdict.header, rows: verdicts.map(\.cells)).text)
        guard verdicts.allSatisfy(\.misses.isEmpty) else { throw ExitCode(1) }
    }

    /// The limits of policy.example.toml. One target is allowed, and a name for it.
    private static let policy = """
        [network]
        deny = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "*.denied.test"]
        allow = ["*", "127.0.0.1", "\(NameServer.honestName)"]
        max_connections = 50
        max_bandwidth_mbps = 100
        [limits]
        max_sessions = 8
        connects_per_sec = 20
        connect_burst = 40
        resolves_per_sec = 20
        resolve_burst = 40
        bytes_per_day = "20GiB"
        idle_timeout_secs = 300

        """
}
