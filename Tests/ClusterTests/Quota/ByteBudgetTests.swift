import Testing
import WasmnetPolicy
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

@Suite struct ByteBudgetTests {
    private let rate = TokenBucket.Rate(bytesPerSecond: 4_000_000, burst: 1_000_000)
    private var now = QuotaInstant(microseconds: 1_000_000_000)

    private func budget() -> ByteBudget {
        var budget = ByteBudget()
        budget.rate = self.rate
        return budget
    }

    private func reply(
        _ granted: Int64 = 0, wait: Int64 = 0, leased: Int64 = 0, day: Int64 = 5, left: Int64 = 1 << 30
    ) -> ByteBudget.Reply {
        ByteBudget.Reply(
            granted: granted, wait: .milliseconds(wait), dayLeased: leased, day: day, dayEndsIn: .seconds(3600),
            dayBytesLeft: left)
    }

    @Test func theFirstBytesWaitForNothingAndAreOwed() {
        var budget = self.budget()
        budget.charge(10_000, now: self.now)
        #expect(budget.pause(now: self.now) == nil)
        #expect(budget.shouldRequest(now: self.now) == true)
        let query = budget.makeQuery(now: self.now)
        #expect(query.debt == 10_000 && query.wanted > 0)
        budget.charge(ByteBudget.slack, now: self.now)
        #expect(budget.pause(now: self.now) == self.now + .milliseconds(1))
        // Bytes used meanwhile are a debt of the grant.
        budget.replied(query, self.reply(20_000), now: self.now)
        #expect(budget.pause(now: self.now) == nil)
        budget.charge(20_000 - ByteBudget.slack, now: self.now)
        let next = budget.makeQuery(now: self.now)
        #expect(next.debt == 0)
    }

    /// The last bytes of a lease passed just when no request could be sent: one for the waiting bytes follows, however late.
    @Test func whoWaitsForTheDaysBytesIsAskedFor() {
        var budget = ByteBudget()
        budget.bytesPerDay = 1 << 20
        budget.prepare(now: self.now)
        let query = budget.makeQuery(now: self.now)
        #expect(budget.draw(1000, now: self.now) == 0)
        budget.replied(query, self.reply(leased: 1000, left: 5000), now: self.now)
        #expect(budget.draw(1000, now: self.now) == 1000)
        let later = self.now + .seconds(2)
        #expect(budget.pause(now: later) == later + .milliseconds(1))
        #expect(budget.shouldRequest(now: later) == true)
        #expect(budget.makeQuery(now: later).wantsDay)
    }

    @Test func aGrantIsLostAfterItsTimeAndNotKeptByANewerOne() {
        var budget = self.budget()
        budget.prepare(now: self.now)
        budget.replied(budget.makeQuery(now: self.now), self.reply(1000), now: self.now)
        let later = self.now + .milliseconds(200)
        budget.replied(budget.makeQuery(now: later), self.reply(100), now: later)
        let end = self.now + ByteBudget.grantLifetime
        budget.charge(150, now: end)
        let next = budget.makeQuery(now: end)
        #expect(next.debt == 50)
    }

    @Test func whenNothingIsLeftNobodyReadsAndNobodyAsks() {
        var budget = self.budget()
        budget.charge(5000, now: self.now)
        budget.replied(budget.makeQuery(now: self.now), self.reply(wait: 80), now: self.now)
        #expect(budget.pause(now: self.now) == self.now + .milliseconds(80))
        #expect(budget.shouldRequest(now: self.now + .milliseconds(79)) == false)
        #expect(budget.pause(now: self.now + .milliseconds(80)) == nil)
        budget.charge(1, now: self.now + .milliseconds(80))
        #expect(budget.shouldRequest(now: self.now + .milliseconds(80)) == true)
    }

    /// Values that no script returns, repeatedly: no sum ends the process.
    @Test(arguments: [Int64(1) << 53, -(1 << 53)]) func answersOfABadRedisAreBounded(number: Int64) {
        var budget = self.budget()
        budget.bytesPerDay = 1 << 40
        var now = self.now
        for _ in 0..<3000 {
            budget.charge(1000, now: now)
            let reply = ByteBudget.Reply(
                granted: number, wait: .microseconds(number), dayLeased: number, day: 5,
                dayEndsIn: .microseconds(number), dayBytesLeft: number)
            budget.replied(budget.makeQuery(now: now), reply, now: now)
            _ = (budget.pause(now: now), budget.shouldRequest(now: now))
            now = now + .milliseconds(200)
        }
        #expect(budget.inFlight == nil)
    }

    @Test func aQuestionWithoutAnswerLeavesItsDebt() {
        var budget = self.budget()
        budget.charge(5000, now: self.now)
        let query = budget.makeQuery(now: self.now)
        budget.failed(query)
        let again = budget.makeQuery(now: self.now + .milliseconds(1))
        #expect(again.debt == 5000)
        budget.replied(query, self.reply(5000), now: self.now)
        #expect(budget.inFlight != nil)
    }

    @Test func whoPassesLittleIsChargedOnceASecond() {
        var budget = self.budget()
        budget.replied(budget.makeQuery(now: self.now), self.reply(16_384), now: self.now)
        var calls = 0
        // Once the first grant has expired.
        for tick in 0..<500 {
            let now = self.now + .milliseconds(Int64(tick) * 20)
            budget.charge(8, now: now)
            #expect(budget.pause(now: now) == nil)
            guard budget.shouldRequest(now: now) else { continue }
            if tick >= 100 { calls += 1 }
            let query = budget.makeQuery(now: now)
            budget.replied(query, self.reply(query.wanted), now: now)
        }
        #expect((6...8).contains(calls), "\(calls) in 8 s")
    }

    @Test func aGrantThatIsAllThereIsIsSpentEvenly() throws {
        var budget = self.budget()
        budget.charge(400_000, now: self.now)
        let query = budget.makeQuery(now: self.now)
        #expect(query.wanted > 200_000)
        budget.replied(query, self.reply(200_000), now: self.now)
        var passed: [Int64] = []
        for millisecond in 0..<185 {
            let now = self.now + .milliseconds(Int64(millisecond))
            while budget.pause(now: now) == nil, passed.reduce(0, +) < 200_000 {
                budget.charge(4000, now: now)
                passed.append(4000)
            }
            let due = 200_000 * Int64(millisecond) / 185
            let sum = passed.reduce(0, +)
            #expect(sum >= min(due, 200_000 - 4000) && sum <= due + (62 << 10) + 4000, "\(sum) after \(millisecond) ms")
        }
    }

    @Test func aDaysLeaseIsForHalfASecondOfWhatPasses() {
        var budget = ByteBudget()
        budget.bytesPerDay = 1 << 50
        budget.prepare(now: self.now)
        let first = budget.makeQuery(now: self.now)
        #expect(first.wantsDay && first.dayWanted == 0)
        budget.replied(first, self.reply(leased: 64 << 20, left: 1 << 49), now: self.now)
        budget.charge(50 << 20, now: self.now + .milliseconds(50))
        let next = budget.makeQuery(now: self.now + .milliseconds(50))
        #expect(next.wantsDay && (499 << 20...501 << 20).contains(next.dayWanted))
    }

    @Test func aDayIsLeasedRenewedAtHalfAndGivenBack() throws {
        var budget = ByteBudget()
        budget.bytesPerDay = 10_000
        budget.prepare(now: self.now)
        #expect(budget.shouldRequest(now: self.now) == true)
        let first = budget.makeQuery(now: self.now)
        #expect(first.wantsDay && first.wanted == 0)
        budget.replied(first, self.reply(leased: 1000, left: 9000), now: self.now)
        budget.charge(499, now: self.now)
        #expect(budget.shouldRequest(now: self.now) == false)
        budget.charge(1, now: self.now)
        #expect(budget.shouldRequest(now: self.now) == true)
        let given = budget.giveBack(now: self.now)
        let back = try #require(given)
        #expect(back.dayReturned == 500 && back.returnedDay == 5 && !back.wantsDay)
        budget.replied(back, self.reply(left: 9500), now: self.now)
        #expect(budget.giveBack(now: self.now) == nil)
        #expect(budget.isIdle(now: self.now))
    }

    @Test func aSpentDayIsOverWhenItEnds() throws {
        var budget = ByteBudget()
        budget.bytesPerDay = 1000
        budget.prepare(now: self.now)
        budget.replied(budget.makeQuery(now: self.now), self.reply(leased: 1000, left: 0), now: self.now)
        budget.charge(999, now: self.now)
        #expect(budget.isDaySpent(self.now) == nil)
        #expect(budget.pause(now: self.now) == nil)
        budget.charge(3, now: self.now)
        #expect(budget.isDaySpent(self.now) == .seconds(3600))
        let given = budget.giveBack(now: self.now)
        let owed = try #require(given)
        #expect(owed.dayDebt == 2)
        budget.replied(owed, self.reply(left: 0), now: self.now)
        #expect(budget.isDaySpent(self.now + .seconds(3600)) == nil)
    }

    @Test(arguments: [(OutageMode.static, Int64(700)), (.closed, 400)])
    func inAnOutageTheDayHasItsLeaseAndANodesPartOfTheRest(mode: OutageMode, most: Int64) throws {
        var budget = ByteBudget()
        budget.bytesPerDay = 5000
        let query = budget.makeQuery(now: self.now)
        budget.replied(query, self.reply(leased: 400, left: 900), now: self.now)
        budget.outageBegan(mode, parts: 3)
        let drawn = budget.draw(1000, now: self.now)
        #expect(drawn == most)
        let (spent, pause) = (budget.isDaySpent(self.now), budget.pause(now: self.now))
        #expect((spent != nil) == (mode == .static))
        #expect((pause != nil) == (mode == .closed))
        budget.outageEnded()
        let given = budget.giveBack(now: self.now)
        #expect((given?.dayDebt ?? 0) == most - 400)
    }

    @Test func whatIsLentPassesAndIsOwed() throws {
        var budget = self.budget()
        budget.charge(ByteBudget.slack, now: self.now)
        let unanswered = budget.makeQuery(now: self.now)
        let (before, lacked) = (budget.pause(now: self.now), budget.lacksRate(now: self.now))
        #expect(before != nil && lacked)
        budget.lend(20_000)
        let lent = budget.pause(now: self.now)
        #expect(lent == nil)
        budget.charge(20_000, now: self.now)
        let (after, lacks) = (budget.pause(now: self.now), budget.lacksRate(now: self.now))
        #expect(after != nil && lacks)
        budget.failed(unanswered)
        let again = budget.makeQuery(now: self.now)
        #expect(again.debt == ByteBudget.slack + 20_000)
    }

    /// Many nodes that spend their grants irregularly: the bytes in any span t are at most
    /// burst + rate * (t + 250 ms), and each node's slack.
    @Test(arguments: 1...6) func noSpanPassesMoreThanItsShare(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let rate = try #require(self.rate)
        let nodes = Int.random(in: 1...6, using: &random)
        var budgets = (0..<nodes).map { _ in self.budget() }
        var bucket = TokenBucket()
        var passed: [(at: Int64, bytes: Int64)] = []
        var busy = [Bool](repeating: false, count: nodes)
        var calls = 0
        let step: Int64 = 5000
        for tick in 0..<4000 {
            let now = self.now + .microseconds(Int64(tick) * step)
            var total: Int64 = 0
            for node in 0..<nodes {
                if Int.random(in: 0..<60, using: &random) == 0 { busy[node].toggle() }
                if budgets[node].shouldRequest(now: now) {
                    calls += 1
                    let query = budgets[node].makeQuery(now: now)
                    bucket.charge(bytes: query.debt, at: now, rate: rate)
                    let granted = bucket.grant(bytes: query.wanted, at: now, rate: rate)
                    let wait = bucket.level > 0 ? .zero : bucket.positive(rate: rate) - now
                    let reply = ByteBudget.Reply(
                        granted: granted, wait: wait, dayLeased: 0, day: 0, dayEndsIn: .zero, dayBytesLeft: 0)
                    budgets[node].replied(query, reply, now: now)
                }
                guard busy[node], budgets[node].pause(now: now) == nil else { continue }
                let bytes = Int64.random(in: 1...ByteBudget.slack, using: &random)
                budgets[node].charge(bytes, now: now)
                total += bytes
            }
            passed.append((now.microseconds, total))
        }
        // The maximum of any span above the rate.
        var level = 0.0
        var worst = 0.0
        for (index, entry) in passed.enumerated() {
            let elapsed = index == 0 ? 0 : Double(entry.at - passed[index - 1].at) / 1e6
            level = max(level - elapsed * Double(rate.bytesPerSecond), 0) + Double(entry.bytes)
            worst = max(worst, level)
        }
        // A reader checks, then passes up to one slack; it does so once into debt.
        let bound =
            Double(rate.burst) + Double(rate.bytesPerSecond) * 0.255 + Double(2 * Int(ByteBudget.slack) * nodes)
        #expect(worst <= bound, "seed \(seed), \(nodes) nodes")
        #expect(Double(calls) <= 10.0 * 21 * Double(nodes), "seed \(seed)")
        let total = passed.reduce(0) { $0 + $1.bytes }
        #expect(total > rate.bytesPerSecond * 2, "seed \(seed): \(total)")
    }
}

@Suite struct AskPaceTests {
    @Test func allowsOneAnIntervalAndAFewAtOnce() {
        var pace = QueryPace(interval: .milliseconds(250), burst: 4)
        var now = QuotaInstant(microseconds: 1_000_000_000)
        for _ in 0..<4 {
            #expect(pace.allows(now))
            pace.spend(now)
        }
        #expect(!pace.allows(now))
        now = now + .milliseconds(249)
        #expect(!pace.allows(now))
        now = now + .milliseconds(1)
        #expect(pace.allows(now))
        pace.spend(now)
        #expect(!pace.allows(now))
    }
}
