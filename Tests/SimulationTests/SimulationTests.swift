import NIOCore
import Testing
import WasmnetProtocol
import WasmnetQuota

/// For any events in any order: the same bytes in order or one reason, bounded memory, and each socket ends once.
@Suite struct SimulationTests {
    /// The maximum that the node may buffer for a target: the client's data in transit, and a read of the carrier.
    private static let maxForTarget = 4 * Simulation.window + 8192
    /// And toward the page: high water, a turn's reads, and the answers.
    private static let maxForPage = 32 << 10

    private func check(_ simulation: Simulation) {
        #expect(simulation.faults.isEmpty, "seed \(simulation.seed): \(simulation.faults)")
        #expect(simulation.carrier.maxQueued <= Self.maxForPage, "seed \(simulation.seed)")
        for (id, target) in simulation.targets {
            #expect(target.socket.maxQueued <= Self.maxForTarget, "seed \(simulation.seed): socket \(id)")
        }
    }

    private func expectNothingLeft(_ simulation: Simulation) {
        let totals = simulation.ledger.counts
        #expect(totals.sockets == 0 && totals.sessions == 0, "seed \(simulation.seed): \(totals)")
        for (id, target) in simulation.targets {
            #expect(target.socket.isClosed, "seed \(simulation.seed): target \(id) is left open")
        }
    }

    /// Everything flows again, and both sides finish.
    private func heal(_ simulation: Simulation) {
        simulation.carrier.isClogged = false
        for target in simulation.targets.values { target.socket.isClogged = false }
        for round in 0..<3000 {
            for (id, socket) in simulation.browser.sockets where socket.end == nil {
                while (simulation.browser.sockets[id]?.unconsumed ?? 0) > 0 { simulation.clientConsumes(id) }
                if round > 500 { simulation.clientShutsDown(id) }
                if round > 500, !simulation.browser.hasCredit { simulation.clientCloses(id) }
            }
            for id in simulation.targets.keys {
                if round > 500 { simulation.targetEnds(id) }
                simulation.moveTarget(id)
            }
            simulation.moveCarrier()
            simulation.settle()
            simulation.time.advance(simulation.loop, by: .milliseconds(1))
            let isOver = simulation.browser.sockets.values.allSatisfy { $0.end != nil }
            if isOver,
                simulation.targets.values.allSatisfy({ $0.socket.isClosed && $0.socket.outgoing.readableBytes == 0 })
            {
                return
            }
        }
    }

    @Test(arguments: [WireVersion.v1, .v2], 0..<60) func everySocketEndsOnceWithItsBytes(
        version: WireVersion, seed: UInt64
    ) throws {
        let simulation = try Simulation(version: version, seed: seed, linger: .hours(1))
        for _ in 0..<1500 { simulation.step() }
        let endedEarly = Set(simulation.targets.filter(\.value.hasEnded).keys)
        self.heal(simulation)
        self.check(simulation)
        for (id, socket) in simulation.browser.sockets {
            #expect(socket.end != nil, "seed \(seed): socket \(id) never ended")
            guard let target = simulation.targets[id], !target.hasReset, !socket.wasReset else { continue }
            // Neither side aborted it: all data from before the page finished has arrived. In v1 data crossing the target's end is lost.
            if version == .v2 || !endedEarly.contains(id) {
                #expect(target.received == socket.sent, "seed \(seed): socket \(id)")
            }
            // And the target's data, if the page did not stop listening.
            if !socket.hasClosed { #expect(socket.received == target.sent, "seed \(seed): socket \(id)") }
        }
        simulation.cut()
        for _ in 0..<100 { simulation.time.advance(simulation.loop, by: .milliseconds(100)) }
        self.expectNothingLeft(simulation)
    }

    @Test(arguments: [WireVersion.v1, .v2], 100..<140) func aCutEndsEverythingAndFreesEverything(
        version: WireVersion, seed: UInt64
    ) throws {
        let simulation = try Simulation(version: version, seed: seed, linger: .seconds(5))
        for _ in 0..<simulation.number(1...1000) { simulation.step() }
        simulation.cut()
        // Targets that read nothing are given up after the linger.
        for _ in 0..<100 {
            for id in simulation.targets.keys { simulation.moveTarget(id) }
            simulation.settle()
            simulation.time.advance(simulation.loop, by: .milliseconds(100))
        }
        self.check(simulation)
        self.expectNothingLeft(simulation)
    }
}
