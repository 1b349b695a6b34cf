import Foundation

/// The results of one run, with polite clients or hostile ones.
struct CrowdRun {
    var roundTrips: [UInt64]
    var failures: Int
    var seconds: Double
    var cpuSeconds: Double
    var logLines: Int
    /// Those that the access log has for sockets that were open.
    var socketLines: Int
    var sent: Int
    var ended: Int

    /// Milliseconds.
    func percentile(_ percent: Double) -> Double {
        (Sample(roundTrips: self.roundTrips).percentile(percent) ?? 0) / 1e6
    }
}

/// A group of clients beside the honest client on one node, alternating: polite, then hostile, and so on.
final class Trial {
    private let crowd: Crowd
    private let node: WatchedNode
    private let honest: HonestClient
    private let reactor: Reactor
    private var polite: [CrowdRun] = []
    private var hostile: [CrowdRun] = []
    /// Bytes.
    private var grown = 0
    private var residentBefore: Int?

    init(_ crowd: Crowd, node: WatchedNode, target: Target, on reactor: Reactor) throws {
        self.crowd = crowd
        self.node = node
        self.reactor = reactor
        self.honest = try HonestClient(port: node.port, target: target, on: reactor)
    }

    func run(_ options: HostileOptions) throws -> Verdict {
        defer { self.honest.close() }
        for _ in 0..<options.rounds {
            self.polite.append(try self.run(polite: true, seconds: options.politeSeconds))
            let before = self.residentBefore ?? self.node.resident
            self.residentBefore = before
            self.node.resetPeak()
            self.hostile.append(try self.run(polite: false, seconds: options.seconds))
            self.grown = max(self.grown, self.node.peak - before)
            guard self.node.isRunning else { break }
        }
        return Verdict(
            crowd: self.crowd, polite: self.polite, hostile: self.hostile, grown: self.grown,
            hasCrashed: !self.node.isRunning)
    }

    private func run(polite: Bool, seconds: Double) throws -> CrowdRun {
        let load = try LoadProcess(self.crowd, polite: polite, port: self.node.port, seconds: seconds, on: self.reactor)
        defer { load.stop() }
        guard self.reactor.run(seconds: 10, until: { load.isReady }) else {
            throw BenchError("the load does not start")
        }
        let (lines, sockets) = (self.node.logLines, self.node.socketLines)
        let (cpu, start) = (self.node.cpuSeconds, Clock.now)
        Priority.raise()
        let (roundTrips, failures) = self.honest.measure(seconds: seconds)
        Priority.lower()
        let spent = Double(Clock.now - start) / 1e9
        var run = CrowdRun(
            roundTrips: roundTrips, failures: failures, seconds: spent, cpuSeconds: self.node.cpuSeconds - cpu,
            logLines: self.node.logLines - lines, socketLines: self.node.socketLines - sockets, sent: 0, ended: 0)
        self.reactor.run(seconds: 3) { load.report != nil }
        (run.sent, run.ended) = load.report ?? (0, 0)
        load.stop()
        // Its connections end before the next is measured.
        self.reactor.run(seconds: 0.3)
        return run
    }
}

/// The group's process.
private final class LoadProcess {
    private let process = Process()
    private let output: ChildOutput

    init(_ crowd: Crowd, polite: Bool, port: UInt16, seconds: Double, on reactor: Reactor) throws {
        let pipe = Pipe()
        self.process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        // The polite ones use other addresses, so that the hostile ones' use is not counted for them.
        self.process.arguments =
            ["hostile-load", "--port", "\(port)", "--seconds", "\(seconds)", "--first-host", polite ? "101" : "2"]
            + (polite ? ["--polite"] : []) + ["--abuses"] + crowd.abuses.map(\.rawValue)
        self.process.standardOutput = pipe
        self.output = ChildOutput(pipe, on: reactor)
        try self.process.run()
        try? pipe.fileHandleForWriting.close()
    }

    var isReady: Bool { self.output.lines >= 1 }

    /// Nil until it is done.
    var report: (sent: Int, ended: Int)? {
        guard self.output.lines >= 2 else { return nil }
        let words = self.output.tail.split(whereSeparator: \.isWhitespace)
        guard words.count == 5, let sent = Int(words[2]), let ended = Int(words[4]) else { return nil }
        return (sent, ended)
    }

    func stop() {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
        self.process.waitUntilExit()
        self.output.stop()
    }
}

/// The honest client has priority on the shared processor, if the system allows it.
private enum Priority {
    static func raise() { self.set(SCHED_FIFO, 1) }
    static func lower() { self.set(SCHED_OTHER, 0) }

    private static func set(_ policy: Int32, _ priority: Int32) {
        var parameters = sched_param()
        parameters.sched_priority = priority
        sched_setscheduler(0, policy, &parameters)
    }
}
