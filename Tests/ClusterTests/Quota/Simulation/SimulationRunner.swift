import Dispatch
import NIOConcurrencyHelpers
import WasmnetTesting

/// Runs many seeds on separate threads: a simulation blocks on its Redis, which must not delay other tasks.
struct SimulationRunner: Sendable {
    struct Finding: Sendable {
        var schedule: Schedule
        var faults: [String]
    }

    var changes: [SimulatedScripts.Change] = []
    var workers = 2
    /// The number of findings after which it stops.
    var most = 1

    /// - Returns: the number of seeds run, and the findings, by seed.
    func run(from first: UInt64, count: Int) async throws -> (ran: Int, findings: [Finding]) {
        try await self.run((0..<count).map { Schedule(seed: first &+ UInt64($0)) })
    }

    func run(
        _ schedules: some RandomAccessCollection<Schedule> & Sendable
    ) async throws -> (ran: Int, findings: [Finding]) {
        let count = schedules.count
        let (next, findings) = (NIOLockedValueBox(0), NIOLockedValueBox<[Finding]>([]))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            for _ in 0..<self.workers {
                tasks.addTask {
                    try await withServer { server in
                        try await Self.onThread {
                            let connections = try Self.connections(to: server.port)
                            let scripts = SimulatedScripts(changes: self.changes)
                            while findings.withLockedValue({ $0.count }) < self.most {
                                let index = next.withLockedValue { next in
                                    defer { next += 1 }
                                    return next
                                }
                                guard index < count else { return }
                                let schedule = schedules[schedules.index(schedules.startIndex, offsetBy: index)]
                                let faults = try self.faults(of: schedule, connections, scripts)
                                if !faults.isEmpty {
                                    findings.withLockedValue { $0.append(Finding(schedule: schedule, faults: faults)) }
                                }
                            }
                        }
                    }
                }
            }
            try await tasks.waitForAll()
        }
        let found = findings.withLockedValue { $0 }.sorted { $0.schedule.seed < $1.schedule.seed }
        return (min(next.withLockedValue { $0 }, count), found)
    }

    /// One for each simulated server.
    private static func connections(to port: Int) throws -> [BlockingRedis] {
        try (0..<2).map { _ in try BlockingRedis(port: port) }
    }

    private func faults(
        of schedule: Schedule, _ connections: [BlockingRedis], _ scripts: SimulatedScripts
    ) throws -> [String] {
        let cluster = try SimulatedCluster(schedule, connections: connections, scripts: scripts)
        cluster.run()
        return cluster.faults
    }

    /// Removes all events that a fault does not need.
    func shrink(_ finding: Finding) async throws -> Finding {
        try await withServer { server in
            try await Self.onThread {
                let connections = try Self.connections(to: server.port)
                let scripts = SimulatedScripts(changes: self.changes)
                var least = finding
                var index = 0
                while index < least.schedule.events.count {
                    var smaller = least.schedule
                    smaller.events.remove(at: index)
                    let faults = try self.faults(of: smaller, connections, scripts)
                    if faults.isEmpty { index += 1 } else { least = Finding(schedule: smaller, faults: faults) }
                }
                return least
            }
        }
    }

    /// Every line of the trace.
    func trace(_ schedule: Schedule) async throws -> [String] {
        try await withServer { server in
            try await Self.onThread {
                let connections = try Self.connections(to: server.port)
                let cluster = try SimulatedCluster(
                    schedule, connections: connections, scripts: SimulatedScripts(changes: self.changes), traces: true)
                cluster.run()
                return cluster.trace.lines
            }
        }
    }

    private static func onThread<Answer: Sendable>(_ body: @escaping @Sendable () throws -> Answer) async throws
        -> Answer
    {
        try await withCheckedThrowingContinuation { done in
            DispatchQueue.global().async { done.resume(with: Result(catching: body)) }
        }
    }
}
