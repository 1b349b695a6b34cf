import Testing
import WasmnetRelay
import WasmnetTesting

@Suite struct FlowControlTests {
    @Test func creditIsCountedDownAndUp() {
        var credit = SendCredit(100)
        credit.spend(60)
        #expect(credit.limit == 40 && !credit.isSpent)
        credit.spend(40)
        #expect(credit.isSpent)
        credit.add(5)
        #expect(credit.limit == 5)
    }

    /// No grant overflows, and no sum of grants grows without bound.
    @Test func hostileGrantsAreCut() {
        var credit = SendCredit(0)
        for _ in 0..<10_000 { credit.add(.max) }
        #expect(credit.limit == 1 << 30)
    }

    @Test func withoutCreditNothingIsCounted() {
        var credit = SendCredit(nil)
        credit.spend(1 << 40)
        credit.add(7)
        #expect(!credit.isSpent && credit.limit == .max)
    }

    /// A sender that keeps to its credit, and one that does not, against a plain count.
    @Test(arguments: 0..<20) func aWindowNeverPromisesMoreThanItsSize(seed: UInt64) {
        var random = SeededRandom(seed)
        var window = ReceiveWindow(first: 256 << 10, largest: 16 << 20)
        var credit = 256 << 10
        var held = 0
        var now: Int64 = 0
        for _ in 0..<5000 {
            now += Int64.random(in: 0...3_000_000, using: &random)
            if Bool.random(using: &random) {
                let bytes = Int.random(in: 0...(48 << 10), using: &random)
                let isWithin = bytes <= credit
                #expect(window.receive(bytes) == isWithin, "seed \(seed)")
                if isWithin {
                    credit -= bytes
                    held += bytes
                }
            } else {
                let bytes = Int.random(in: 0...held, using: &random)
                held -= bytes
                let (grant, grown) = window.drained(bytes, now: now, roundTrip: 5_000_000, room: 8 << 20)
                #expect(grant >= 0 && grown >= 0, "seed \(seed)")
                credit += grant
            }
            #expect(window.outstanding == credit && window.held == held, "seed \(seed)")
            #expect(credit + held <= window.size, "seed \(seed)")
            #expect(window.size <= 16 << 20, "seed \(seed)")
        }
    }

    /// However small the pieces that leave, a sender without credit gets some before everything has left.
    @Test func aSenderIsNeverStarved() {
        var window = ReceiveWindow(first: 64 << 10, largest: 64 << 10)
        #expect(window.receive(64 << 10) == true)
        var granted = 0
        for _ in 0..<(64 << 10) where granted == 0 {
            granted = window.drained(1, now: 0, roundTrip: nil, room: 0).grant
        }
        #expect(granted > 0 && window.held > 0)
    }

    @Test func aWindowThatHoldsItsSenderBackGrows() {
        var window = ReceiveWindow(first: 256 << 10, largest: 16 << 20)
        var now: Int64 = 0
        for _ in 0..<20 {
            let all = window.outstanding
            #expect(window.receive(all) == true)
            now += 100_000_000
            _ = window.drained(window.held, now: now, roundTrip: 100_000_000, room: 64 << 20)
        }
        #expect(window.size == 16 << 20)

        // Nearby it does not pay.
        var near = ReceiveWindow(first: 256 << 10, largest: 16 << 20)
        for _ in 0..<20 {
            let all = near.outstanding
            #expect(near.receive(all) == true)
            now += 100_000
            _ = near.drained(near.held, now: now, roundTrip: 100_000, room: 64 << 20)
        }
        #expect(near.size == 256 << 10)
    }

    /// Flows with different piece sizes get the same bytes, to within a quantum and a piece.
    @Test(arguments: 0..<10) func turnsAreEven(seed: UInt64) {
        var random = SeededRandom(seed)
        var turns = TurnTaking<Int>(quantum: 1000)
        var sent = [0, 0, 0]
        for flow in 0..<3 { turns.add(flow) }
        for _ in 0..<3000 {
            guard let flow = turns.next() else { break }
            let bytes = Int.random(in: 1...[100, 1500, 4000][flow], using: &random)
            sent[flow] += bytes
            turns.sent(flow, bytes: bytes, hasMore: true)
        }
        #expect((sent.max() ?? 0) - (sent.min() ?? 0) <= 2 * 5000, "seed \(seed): \(sent)")
    }

    @Test func aNewFlowGoesFirstAndARemovedOneNotAtAll() {
        var turns = TurnTaking<Int>(quantum: 1000)
        turns.add(1)
        turns.sent(1, bytes: 5000, hasMore: true)
        #expect(turns.next() == 1)
        turns.add(2)
        #expect(turns.next() == 2)
        turns.sent(2, bytes: 10, hasMore: false)
        turns.add(3)
        turns.remove(3)
        #expect(turns.next() == 1)
        turns.remove(1)
        #expect(turns.isEmpty && turns.next() == nil)
    }
}
