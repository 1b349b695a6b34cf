import Testing
import WasmnetTesting

@testable import WasmnetRelay

@Suite struct SendCreditTests {
    @Test func withoutCreditNothingIsCounted() {
        var credit = SendCredit(nil)
        credit.spend(.max)
        credit.add(.max)
        #expect(credit == SendCredit(nil))
        #expect(!credit.isSpent)
        #expect(credit.limit == .max)
    }

    @Test func whatIsSpentComesBackByGrantsOnly() {
        var credit = SendCredit(100)
        credit.spend(99)
        #expect(credit.limit == 1 && !credit.isSpent)
        credit.spend(1)
        #expect(credit.limit == 0 && credit.isSpent)
        credit.add(0)
        #expect(credit.isSpent)
        credit.add(7)
        #expect(credit.limit == 7 && !credit.isSpent)
    }

    @Test func aFirstWindowOfNothingIsSpent() {
        #expect(SendCredit(0).isSpent)
    }

    @Test func aPartTooSmallToBeWorthAMessageWaitsUntilItIsUrged() {
        let least = SendCredit.smallPart
        var credit = SendCredit(least - 1)
        #expect(!credit.takes(least) && !credit.takes(.max))
        #expect(credit.takes(least - 1) && credit.takes(1))
        credit.releaseSmallPart()
        #expect(credit.takes(.max))
        credit.spend(10)
        #expect(!credit.takes(least))
        credit.add(11)
        #expect(credit.takes(.max))
        credit.spend(least)
        credit.releaseSmallPart()
        #expect(!credit.takes(1))
    }

    @Test func noSumOfGrantsOverflows() {
        var credit = SendCredit(Int(UInt32.max))
        credit.add(1)
        #expect(credit.limit == 1 << 30)
        for _ in 0..<100 { credit.add(.max) }
        #expect(credit.limit == 1 << 30)
        credit.spend(1 << 30)
        #expect(credit.isSpent)
        credit.add(.max)
        #expect(credit.limit == 1 << 30)
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func aSeededWalkAgreesWithAPlainSum(seed: UInt64) {
        var random = SeededRandom(seed)
        var credit = SendCredit(256 << 10)
        var sum = 256 << 10
        for step in 0..<20_000 {
            if Bool.random(using: &random) {
                let part = Int.random(in: 0...sum, using: &random)
                credit.spend(part)
                sum -= part
            } else {
                let grant = UInt32.random(in: 0...(Bool.random(using: &random) ? 1000 : .max), using: &random)
                credit.add(grant)
                sum = min(sum + Int(grant), 1 << 30)
            }
            guard credit.available == sum, credit.isSpent == (sum == 0), credit.limit >= 0 else {
                Issue.record("seed \(seed), step \(step): \(credit.limit) instead of \(sum)")
                return
            }
        }
    }
}
