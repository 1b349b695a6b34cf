import Testing
import WasmnetProtocol
import WasmnetTesting

@testable import WasmnetRelay

/// Which socket is read, how much, and whose bytes go first: the scheduler beside a plain model of its inputs.
@Suite struct ReadSchedulerTests {
    /// Every state that two sockets can reach, and from each one every input.
    @Test func everyStateOfTwoSocketsKeepsItsWord() throws {
        let walk = try SchedulerWalk.all()
        #expect(walk.count > 1000, "\(walk.count) states")
        // All states that the model distinguishes were reached.
        let lines: Set<[SocketID]> = [[], [1], [2], [1, 2], [2, 1]]
        #expect(Set(walk.map(\.line)) == lines)
        #expect(Set(walk.map(\.queued)) == [[], [1], [2], [1, 2]])
        #expect(Set(walk.map(\.share)) == [24 << 10, 12 << 10, 8 << 10])
    }

    /// The carrier is read if and only if no input of the scheduler blocks it.
    @Test func theCarrierIsReadUnlessSomethingHoldsItUp() {
        let sockets = (0..<2).map { _ in Name() }
        struct State: Hashable {
            var held: Set<Int> = []
            var replyBacklogExceeded = false
        }
        var seen: Set<State> = []
        func walk(_ scheduler: ReadScheduler, _ state: State) {
            #expect(scheduler.readsCarrier == (state.held.isEmpty && !state.replyBacklogExceeded), "\(state)")
            guard seen.insert(state).inserted else { return }
            for (index, socket) in sockets.enumerated() {
                var (next, after) = (scheduler, state)
                #expect(next.holdUploads(of: ObjectIdentifier(socket)) == after.held.insert(index).inserted)
                walk(next, after)
                (next, after) = (scheduler, state)
                #expect(next.releaseUploads(of: ObjectIdentifier(socket)) == (after.held.remove(index) != nil))
                walk(next, after)
            }
            for flag in [true, false] {
                var (next, after) = (scheduler, state)
                (next.replyBacklogExceeded, after.replyBacklogExceeded) = (flag, flag)
                walk(next, after)
            }
        }
        walk(SchedulerWalk.scheduler, State())
        #expect(seen.count == 8)
    }

    private final class Name {}

    /// Many sockets, at random: each that must wait is read later, in the order of requests, once; no other is.
    @Test(arguments: [71, 72, 73] as [UInt64]) func aSeededWalkForgetsNobody(seed: UInt64) throws {
        var random = SeededRandom(seed)
        var walked = WalkedScheduler(SchedulerWalk.scheduler)
        for step in 0..<5000 {
            let inputs = SchedulerInput.all(of: SocketID(UInt64.random(in: 1...12, using: &random)))
            guard let input = inputs.randomElement(using: &random) else { continue }
            if let broken = walked.take(input) ?? walked.brokenOrder {
                Issue.record("seed \(seed), step \(step), \(input): \(broken)")
                return
            }
        }
    }
}
