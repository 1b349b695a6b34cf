import Testing
import WasmnetQuota

@testable import WasmnetCluster

@Suite struct ContactTests {
    /// Redis' clock is an hour ahead.
    private static let ahead: Int64 = 3_600_000_000
    private var contact = RedisContact()
    private var heardAt = QuotaInstant(microseconds: 1_000_000_000)
    private let start = QuotaInstant(microseconds: 1_000_000_000)

    /// An answer to a request sent this many milliseconds after the start, which took this long.
    private mutating func answer(
        at sent: Int64, took: Int64, ahead: Int64 = Self.ahead, silence: QuotaDuration = .zero
    ) {
        let sentAt = self.start + .milliseconds(sent)
        let now = sentAt + .milliseconds(took)
        let time = sentAt.microseconds + took * 500 + ahead
        self.contact.answered(time: time, sentAt: sentAt, now: now, silence: silence)
        self.heardAt = now
    }

    /// What is sent right after the last answer.
    private var began: Int64 { self.contact.since(now: self.heardAt, silence: .zero) }

    private func since(_ milliseconds: Int64) -> Int64 { self.start.microseconds + milliseconds * 1000 + Self.ahead }

    @Test mutating func itBeginsWithTheFirstAnswerAndTellsRedisTime() {
        #expect(self.began == 0 && self.contact.time(now: self.start) == 0)
        self.answer(at: 0, took: 10)
        #expect(self.began == self.since(5))
        self.answer(at: 1000, took: 2)
        #expect(self.began == self.since(5))
        #expect(self.contact.time(now: self.start + .seconds(2)) == self.since(2000))
        // The quickest recent answer has the right time.
        self.answer(at: 3000, took: 80)
        #expect(self.contact.time(now: self.start + .seconds(4)) == self.since(4000))
    }

    @Test mutating func aSilenceBreaksIt() {
        self.answer(at: 0, took: 2)
        self.answer(at: 5000, took: 2, silence: .milliseconds(2499))
        #expect(self.began == self.since(1))
        self.answer(at: 10_000, took: 2, silence: .milliseconds(2500))
        #expect(self.began == self.since(10_001))
    }

    /// A request before the next answer has no contact either.
    @Test mutating func whileItIsSilentThereIsNone() {
        self.answer(at: 0, took: 2)
        let now = self.start + .seconds(3)
        #expect(self.contact.since(now: now, silence: .milliseconds(2499)) == self.since(1))
        #expect(self.contact.since(now: now, silence: .milliseconds(2500)) == 0)
    }

    /// A node that slept while Redis was suspended missed no answer.
    @Test mutating func aLongPauseBreaksIt() {
        self.answer(at: 0, took: 0)
        #expect(self.contact.since(now: self.start + .milliseconds(6999), silence: .zero) == self.since(0))
        #expect(self.contact.since(now: self.start + .seconds(7), silence: .zero) == 0)
        self.answer(at: 7000, took: 0)
        #expect(self.began == self.since(7000))
    }

    @Test(arguments: [Int64(-1), 1]) mutating func aClockThatMovesBreaksIt(sign: Int64) {
        self.answer(at: 0, took: 2)
        self.answer(at: 1000, took: 2, ahead: Self.ahead + sign * 300_000)
        #expect(self.began == self.since(1))
        // Little by little as well.
        self.answer(at: 2000, took: 2, ahead: Self.ahead + sign * 500_000)
        #expect(self.began == self.since(2001) + sign * 500_000)
        self.answer(at: 3000, took: 2, ahead: Self.ahead + sign * 500_000)
        #expect(self.began == self.since(2001) + sign * 500_000)
    }

    /// A second in transit is not a step of the clock.
    @Test mutating func aSlowAnswerSaysNothingOfTheClock() {
        self.answer(at: 0, took: 2)
        self.answer(at: 1000, took: 2000)
        #expect(self.began == self.since(1))
    }

    /// One that began with a slow answer would let the clock step by as much as that took.
    @Test mutating func itBeginsAnewWithAQuickAnswerAfterASlowOne() {
        self.answer(at: 0, took: 800)
        self.answer(at: 1000, took: 2)
        #expect(self.began == self.since(1001))
    }
}

@Suite struct LookoutTests {
    @Test func oneServerIsLookedAtOnceASecondAndWholeAfterALoss() {
        var lookout = Lookout(isCluster: false)
        var looks: [Int] = []
        for tick in 0..<12 where !lookout.next(losses: 0, hasHeard: looks.last == tick - 1).buckets.isEmpty {
            looks.append(tick)
        }
        #expect(looks == [2, 6, 10])
        let (isLoss, all) = lookout.next(losses: 1, hasHeard: true)
        #expect(isLoss && all == 0..<RedisKeys.bucketCount)
        #expect(!lookout.next(losses: 1, hasHeard: true).isLoss)
    }

    /// A node that requests slots learns about a loss from that, and needs no check.
    @Test func answersStandForLooks() {
        var lookout = Lookout(isCluster: false)
        for _ in 0..<100 {
            for hasHeard in [true, false, false] {
                #expect(lookout.next(losses: 0, hasHeard: hasHeard).buckets.isEmpty)
            }
        }
        #expect(!lookout.next(losses: 0, hasHeard: false).buckets.isEmpty)
    }

    @Test func ofAClusterEachBucketIsLookedAtInFiveSeconds() {
        var lookout = Lookout(isCluster: true)
        var seen: [Int] = []
        for _ in 0..<20 { seen += lookout.next(losses: 0, hasHeard: true).buckets }
        #expect(seen == Array(0..<RedisKeys.bucketCount))
    }
}
