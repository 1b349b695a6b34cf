import Testing
import WasmnetTesting

@testable import WasmnetRelay

@Suite struct TurnTakingTests {
    @Test func nobodyWaitsAtFirst() {
        var turns = TurnTaking<Int>(quantum: 100)
        #expect(turns.isEmpty)
        #expect(turns.next() == nil)
        turns.sent(1, bytes: 5, hasMore: true)
        turns.remove(1)
        #expect(turns.isEmpty && !turns.contains(1))
    }

    @Test func theOneInTurnStaysUntilItsShareIsSpent() {
        var turns = TurnTaking<Int>(quantum: 100)
        turns.add(1)
        turns.add(2)
        #expect(turns.next() == 1)
        turns.sent(1, bytes: 60, hasMore: true)
        #expect(turns.next() == 1)
        turns.sent(1, bytes: 60, hasMore: true)
        #expect(turns.next() == 2)
    }

    @Test func whoHasNoMoreLeaves() {
        var turns = TurnTaking<Int>(quantum: 100)
        turns.add(1)
        turns.add(2)
        turns.sent(1, bytes: 10, hasMore: false)
        #expect(!turns.contains(1))
        #expect(turns.next() == 2)
        turns.sent(2, bytes: 0, hasMore: false)
        #expect(turns.isEmpty)
        #expect(turns.next() == nil)
    }

    @Test func aNewFlowGoesBeforeThoseThatHadTheirShare() {
        var turns = TurnTaking<Int>(quantum: 100)
        for id in [1, 2] {
            turns.add(id)
            #expect(turns.next() == id)
            turns.sent(id, bytes: 1000, hasMore: true)
        }
        _ = turns.next()
        turns.add(3)
        #expect(turns.next() == 3)
    }

    @Test func addingAgainKeepsThePlaceAndTheDebt() {
        var turns = TurnTaking<Int>(quantum: 100)
        turns.add(1)
        turns.add(2)
        turns.sent(1, bytes: 100, hasMore: true)
        turns.add(1)
        #expect(turns.next() == 2)
        turns.sent(2, bytes: 1, hasMore: false)
        #expect(turns.next() == 1)
        turns.sent(1, bytes: 1, hasMore: false)
        #expect(turns.isEmpty)
    }

    @Test func aFlowThatIsRemovedIsNeverNext() {
        var turns = TurnTaking<Int>(quantum: 100)
        for id in 1...3 { turns.add(id) }
        turns.remove(1)
        turns.remove(3)
        #expect(turns.next() == 2)
        turns.remove(2)
        #expect(turns.next() == nil)
        #expect(turns.isEmpty)
    }

    @Test func aPieceFarAboveTheShareIsPaidBackInRounds() {
        var turns = TurnTaking<Int>(quantum: 100)
        turns.add(1)
        turns.add(2)
        turns.sent(1, bytes: 10_000, hasMore: true)
        var other = 0
        while turns.next() == 2, other < 20_000 {
            turns.sent(2, bytes: 100, hasMore: true)
            other += 100
        }
        #expect((9_900...10_100).contains(other))
    }

    /// Flows that always have more get the same bytes, for any sizes of pieces.
    @Test(arguments: [21, 22, 23] as [UInt64]) func everyoneGetsTheSame(seed: UInt64) {
        var random = SeededRandom(seed)
        let quantum = 4096
        var turns = TurnTaking<Int>(quantum: quantum)
        let largest = [1, 100, quantum, 3 * quantum]
        for id in largest.indices { turns.add(id) }
        var sent = largest.map { _ in 0 }
        for _ in 0..<50_000 {
            guard let id = turns.next() else { break }
            let bytes = Int.random(in: 1...largest[id], using: &random)
            sent[id] += bytes
            turns.sent(id, bytes: bytes, hasMore: true)
            // Shreedhar and Varghese, "Efficient Fair Queueing using Deficit Round Robin", theorem on the fairness bound.
            let spread = (sent.max() ?? 0) - (sent.min() ?? 0)
            guard spread <= 2 * (quantum + 3 * quantum) else {
                Issue.record("seed \(seed): \(sent)")
                return
            }
        }
        #expect((sent.min() ?? 0) > 0)
    }

    /// RFC 8290, section 4.2: a flow that runs empty and returns at once must not stay a new one forever.
    @Test func aFlowThatComesBackAtOnceStarvesNobody() {
        var turns = TurnTaking<Int>(quantum: 100)
        turns.add(1)
        turns.add(2)
        var served = [1: 0, 2: 0]
        for _ in 0..<100 {
            guard let id = turns.next() else { break }
            served[id, default: 0] += 1
            turns.sent(id, bytes: 100, hasMore: id == 2)
            turns.add(1)
        }
        #expect((served[2] ?? 0) >= 30, "\(served)")
    }

    /// For any additions, sends and removals: the waiting flows are those added, and each gets a turn.
    @Test(arguments: [31, 32, 33, 34] as [UInt64]) func aSeededWalkLosesAndInventsNobody(seed: UInt64) {
        var random = SeededRandom(seed)
        var turns = TurnTaking<Int>(quantum: 1000)
        var waiting: Set<Int> = []
        for step in 0..<20_000 {
            let id = Int.random(in: 0..<20, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                turns.add(id)
                waiting.insert(id)
            case 1:
                turns.remove(id)
                waiting.remove(id)
            default:
                guard let next = turns.next() else { break }
                guard waiting.contains(next) else {
                    Issue.record("seed \(seed), step \(step): \(next) is nobody")
                    return
                }
                let hasMore = Bool.random(using: &random)
                turns.sent(next, bytes: Int.random(in: 0...3000, using: &random), hasMore: hasMore)
                if !hasMore { waiting.remove(next) }
            }
            guard turns.contains(id) == waiting.contains(id), turns.isEmpty == waiting.isEmpty else {
                Issue.record("seed \(seed), step \(step): \(id)")
                return
            }
        }
        while let next = turns.next() {
            #expect(waiting.remove(next) != nil, "seed \(seed)")
            turns.sent(next, bytes: 1, hasMore: false)
        }
        #expect(waiting.isEmpty, "seed \(seed)")
    }
}
