import Testing
import WasmnetQuota

/// Taking from a rate of one node.
@Suite struct NodeRateTests {
    private func rate(perSecond: Double, burst: Int) -> NodeRate {
        let rate = NodeRate()
        rate.apply(GCRA.Pace(perSecond: perSecond, burst: burst))
        return rate
    }

    @Test func aBurstAndThenARate() {
        let rate = self.rate(perSecond: 10, burst: 5)
        let start = QuotaInstant(microseconds: 1_000_000_000)
        for _ in 0..<5 { #expect(rate.take(now: start) == nil) }
        let next = QuotaInstant(microseconds: start.microseconds + 100_000)
        #expect(rate.take(now: start) == next, "and asking in vain costs nothing")
        #expect(rate.take(now: start) == next)
        #expect(rate.take(now: next) == nil && rate.take(now: next) != nil)
        var taken = 0
        for step in 0..<10_000 {
            let now = QuotaInstant(microseconds: next.microseconds + Int64(step) * 1000)
            if rate.take(now: now) == nil { taken += 1 }
        }
        // Ten seconds.
        #expect((99...100).contains(taken))
    }

    @Test func withoutARateEverythingIsTaken() {
        let rate = NodeRate()
        for _ in 0..<1000 { #expect(rate.take(now: QuotaInstant(microseconds: 0)) == nil) }
    }

    /// A clock that was set back blocks a client for no longer than a whole burst takes.
    @Test func aClockThatWasSetBackIsNoBar() {
        let rate = self.rate(perSecond: 1, burst: 2)
        #expect(rate.take(now: QuotaInstant(microseconds: 1_000_000_000_000)) == nil)
        let now = QuotaInstant(microseconds: 1_000_000)
        #expect(rate.take(now: now) == QuotaInstant(microseconds: 2_000_000))
    }
}
