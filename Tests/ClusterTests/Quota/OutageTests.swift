import Testing
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetCluster

private let start = QuotaInstant(microseconds: 86_400_000_000 * 20_000)

@Suite struct OutageWatchTests {
    private var watch = OutageWatch(outageTime: .seconds(5))

    /// Ticks like a ledger.
    ///
    /// - Returns: after how many milliseconds it was an outage; nil: none.
    private mutating func tick(_ milliseconds: Int64, from now: QuotaInstant = start) -> Int64? {
        for time in stride(from: Int64(250), through: milliseconds, by: 250) {
            if self.watch.tick(now: now + .milliseconds(time)) { return time }
        }
        return nil
    }

    @Test mutating func silenceIsAnOutageAfterItsTimeAndNotBefore() {
        #expect(self.watch.tick(now: start - .seconds(60)) == false)
        #expect(self.watch.tick(now: start) == false)
        self.watch.asked(now: start)
        #expect(self.tick(4750) == nil)
        #expect(!self.watch.isOutage)
        #expect(self.watch.tick(now: start + .seconds(5)) == true)
        #expect(self.watch.isOutage)
        #expect(self.watch.tick(now: start + .milliseconds(5250)) == false)
        #expect(self.watch.answered() == true)
        #expect(!self.watch.isOutage)
        #expect(self.watch.answered() == false)
    }

    @Test mutating func anyAnswerEndsTheSilence() {
        self.watch.asked(now: start)
        #expect(self.tick(4750) == nil)
        #expect(self.watch.answered() == false)
        let now = start + .milliseconds(4750)
        self.watch.asked(now: now)
        #expect(self.watch.unansweredSince == now)
        #expect(self.tick(4750, from: now) == nil)
    }

    /// The node was stopped, or its machine was busy: that is no information about Redis.
    @Test mutating func timeInWhichTheNodeDidNotRunDoesNotCount() {
        self.watch.asked(now: start)
        #expect(self.watch.tick(now: start + .milliseconds(250)) == false)
        for stop in 1...8 { #expect(self.watch.tick(now: start + .seconds(Int64(stop) * 60)) == false) }
        #expect(!self.watch.isOutage)
    }

    @Test mutating func whileNothingIsAnsweredSomethingIsAskedEachSecond() {
        #expect(!self.watch.isProbeDue(now: start))
        self.watch.asked(now: start)
        #expect(!self.watch.isProbeDue(now: start + .milliseconds(999)))
        #expect(self.watch.isProbeDue(now: start + .seconds(1)))
        self.watch.asked(now: start + .seconds(1))
        #expect(!self.watch.isProbeDue(now: start + .milliseconds(1999)))
        #expect(self.watch.unansweredSince == start)
    }

    @Test mutating func aNewConnectionIsAskedAtOnceIfAnythingIsUnanswered() {
        self.watch.connected()
        #expect(!self.watch.isProbeDue(now: start))
        self.watch.asked(now: start)
        self.watch.connected()
        #expect(self.watch.isProbeDue(now: start))
        self.watch.asked(now: start)
        #expect(!self.watch.isProbeDue(now: start))
    }
}

@Suite struct OutageBudgetTests {
    private let limits = ClientLimits.only(
        connectsPerSecond: 6, connectBurst: 12, resolvesPerSecond: 3, resolveBurst: 3, bytesPerSecond: 3000,
        byteBurst: 3000)

    @Test func isANodesPartOfEachBurstRefilledAtItsPartOfTheRate() {
        var budget = OutageBudget()
        budget.apply(self.limits, nodes: 3)
        for _ in 0..<4 { #expect(budget.request(.connect, now: start) == nil) }
        #expect(budget.request(.connect, now: start) == .milliseconds(500))
        #expect(budget.request(.connect, now: start + .milliseconds(500)) == nil)
        #expect(budget.request(.resolve, now: start) == nil)
        #expect(budget.request(.resolve, now: start) == .seconds(1))
        #expect(budget.bytes(upTo: 5000, now: start) == 1000)
        #expect(budget.bytes(upTo: 5000, now: start) == 0)
        #expect(budget.bytes(upTo: 5000, now: start + .milliseconds(100)) == 100)
        #expect(!budget.isFull(now: start + .milliseconds(500)))
        #expect(budget.isFull(now: start + .seconds(3)))
    }

    @Test func aPartIsAtLeastOne() {
        var budget = OutageBudget()
        budget.apply(self.limits, nodes: 100)
        #expect(budget.request(.connect, now: start) == nil)
        #expect(budget.request(.connect, now: start) != nil)
        #expect(budget.bytes(upTo: 100, now: start) == 30)
    }

    @Test func withoutALimitNothingIsCounted() {
        var budget = OutageBudget()
        budget.apply(ClientLimits.unlimited, nodes: 3)
        for _ in 0..<100 { #expect(budget.request(.connect, now: start) == nil) }
        #expect(budget.bytes(upTo: 1 << 40, now: start) == 1 << 40)
        #expect(budget.isFull(now: start))
    }

    /// More nodes make the part smaller; used units stay used.
    @Test func anotherNumberOfNodesMakesNothingAnew() {
        var budget = OutageBudget()
        budget.apply(self.limits, nodes: 1)
        #expect(budget.bytes(upTo: 3000, now: start) == 3000)
        budget.apply(self.limits, nodes: 3)
        #expect(budget.bytes(upTo: 3000, now: start) == 0)
        budget.apply(self.limits, nodes: 1)
        #expect(budget.bytes(upTo: 3000, now: start) == 0)
    }
}

@Suite struct NodeCountTests {
    @Test func theLargestOfTheLastMinuteDivides() {
        var count = NodeCount()
        #expect(count.latest == 1 && count.largest(now: start) == 1 && count.allowsCredit)
        for (second, nodes) in [(0, 3), (1, 5), (2, 2), (3, 4)] {
            count.read(nodes, now: start + .seconds(Int64(second)))
        }
        #expect(count.latest == 4)
        #expect(count.largest(now: start + .seconds(61)) == 5)
        #expect(count.largest(now: start + .seconds(62)) == 4)
        #expect(count.largest(now: start + .seconds(600)) == 4)
    }

    /// Nodes that start together see each other join.
    @Test func nothingIsOpenedOnCreditBeforeTwoReadsASecondApart() {
        var count = NodeCount()
        count.read(1, now: start)
        #expect(!count.allowsCredit)
        count.read(3, now: start + .milliseconds(999))
        #expect(!count.allowsCredit)
        count.read(3, now: start + .seconds(1))
        #expect(count.allowsCredit)
    }
}

@Suite struct OutageTests {
    @Test func eachModeSaysHowManySlotsMayBeOpen() {
        for (mode, sessions, sockets) in [(OutageMode.static, 2, 7), (.open, .max, .max), (.closed, 0, 0)] {
            let outage = Outage(modes: OutageModes(all: mode), sessions: 2, sockets: 7)
            #expect(outage.slotsInAll(.session) == sessions && outage.slotsInAll(.socket) == sockets)
            #expect(outage.mode(.connect) == mode && outage.mode(.resolve) == mode)
        }
        let fence = Outage(modes: OutageModes(all: .fence), sessions: 2, sockets: 7)
        #expect(fence.slotsInAll(.session) == 0 && fence.slotsInAll(.socket) == 0)
        #expect(fence.mode(.connect) == .closed && fence.modes.bandwidth == .closed && fence.modes.dayBytes == .closed)
    }
}
