import Foundation
import RedisClient
import Testing
import WasmnetTesting

@testable import WasmnetCluster

extension OnRedis {
    /// The cluster with the shipped code, in virtual time, under schedules of faults: the bounds of docs/limits.md are checked.
    ///
    /// `make simulate` sets the variables.
    @Suite struct SimulationTests {
        private let environment = ProcessInfo.processInfo.environment

        private func number(_ name: String, _ usual: Int) -> Int { self.environment[name].flatMap(Int.init) ?? usual }

        /// Unbuffered, also if the output is a file.
        private static func say(_ words: String) { FileHandle.standardOutput.write(Data((words + "\n").utf8)) }

        @Test func theBoundsHoldUnderEverySchedule() async throws {
            let first = UInt64(clamping: self.number("SIMULATE_SEED", 1))
            let runner = SimulationRunner(most: self.number("SIMULATE_MOST", 1))
            let start = Date()
            let (ran, findings) = try await runner.run(from: first, count: self.number("SIMULATE_SEEDS", 500))
            let perSecond = Double(ran) / Date().timeIntervalSince(start)
            Self.say("simulation: \(ran) seeds from \(first), \((perSecond * 10).rounded() / 10) a second")
            for finding in findings.dropFirst() {
                Issue.record("\(finding.schedule.description)\n\(finding.faults.joined(separator: "\n"))")
            }
            for finding in findings.prefix(1) {
                let least = try await runner.shrink(finding)
                Issue.record(
                    """
                    \(finding.schedule.description)
                    \(finding.faults.joined(separator: "\n"))
                    the least of it that fails: \(least.schedule.description)
                    \(least.faults.joined(separator: "\n"))
                    again: make simulate SEED=\(finding.schedule.seed) SEEDS=1 TRACE=1
                    """)
                guard self.environment["SIMULATE_TRACE"] != nil else { continue }
                for line in try await runner.trace(least.schedule) { Self.say(line) }
            }
        }

        /// Found by the simulation: the others forgot a node that was cut off when the registry restarted, and waited for no node.
        @Test func aNodeThatIsCutOffAtALossIsWaitedFor() async throws {
            let schedules = (1...12).map { seed in
                Schedule(
                    seed: seed,
                    events: [
                        .init(at: .seconds(9), event: .cut(node: 2, for: .seconds(4), resets: false)),
                        .init(at: .seconds(9.1), event: .flush),
                    ])
            }
            let findings = try await SimulationRunner(most: .max).run(schedules).findings
            #expect(findings.isEmpty, "\(findings.map(\.faults))")
        }

        /// Found by the simulation: after a loss, slots above a lowered limit were taken for a lease of others, and ended.
        @Test func whatALowerLimitFoundOpenStaysAfterALoss() async throws {
            let schedules = (1...12).map { seed in
                Schedule(
                    seed: seed, nodes: 4, limit: 20,
                    events: [
                        .init(at: .seconds(9), event: .limit(to: 6)), .init(at: .seconds(9.6), event: .flush),
                    ])
            }
            let findings = try await SimulationRunner(most: .max).run(schedules).findings
            #expect(findings.isEmpty, "\(findings.map(\.faults))")
        }

        @Test func everyMutantChangesAScript() {
            let scripts = [
                ClusterScripts.reserve, ClusterScripts.heartbeat, ClusterScripts.generation, ClusterScripts.rollCall,
                ClusterScripts.grant,
            ]
            for change in SimulationMutants.all.flatMap(\.changes) {
                #expect(scripts.contains { $0.source.contains(change.text) }, "\(change.text)")
            }
        }

        @Test(.enabled(if: ProcessInfo.processInfo.environment["SIMULATE_MUTANTS"] != nil))
        func everyMutantIsFoundOut() async throws {
            let first = UInt64(clamping: self.number("SIMULATE_SEED", 1))
            let wanted = self.environment["SIMULATE_MUTANTS"] ?? ""
            for mutant in SimulationMutants.all where wanted == "1" || mutant.name.contains(wanted) {
                let runner = SimulationRunner(changes: mutant.changes)
                let (ran, findings) = try await runner.run(from: first, count: self.number("SIMULATE_SEEDS", 2000))
                Self.say("mutant: \(mutant.name): \(findings.isEmpty ? "NOT found" : "found") within \(ran) seeds")
                for finding in findings.prefix(1) {
                    Self.say("  \(finding.schedule.seed): \(finding.faults.first ?? "")")
                }
                if findings.isEmpty { Issue.record("\(mutant.name): not found in \(ran) seeds") }
            }
        }
    }
}
