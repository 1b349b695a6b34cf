import Testing
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetCluster

@Suite struct BreakerTests {
    private let start = QuotaInstant(microseconds: 1_000_000_000)

    @Test func opensAfterThreeFailuresInARowAndThenProbesEachSecond() {
        var breaker = Breaker()
        #expect(breaker.failed(at: self.start) == false)
        #expect(breaker.failed(at: self.start) == false)
        #expect(breaker.succeeded() == false)
        for opens in [false, false, true, false] { #expect(breaker.failed(at: self.start) == opens) }
        #expect(breaker.isOpen)
        #expect(breaker.isProbeDue(at: self.start + .milliseconds(999)) == false)
        #expect(breaker.isProbeDue(at: self.start + .seconds(1)) == true)
        #expect(breaker.isProbeDue(at: self.start + .milliseconds(1999)) == false)
        #expect(breaker.succeeded() == true)
        #expect(!breaker.isOpen)
        #expect(breaker.isProbeDue(at: self.start + .seconds(60)) == false)
    }
}

@Suite struct OutageTests {
    private let now = QuotaInstant(microseconds: 86_400_000_000 * 20_000)
    private let limits = QuotaLimits(
        maxSockets: 9, maxSessions: 4, connectsPerSecond: 6, connectBurst: 12, resolvesPerSecond: 3,
        resolveBurst: 3, bytesPerSecond: 3000, byteBurst: 3000, bytesPerDay: 3000)

    private func outage(_ mode: OutageMode, nodes: Int = 3, dayRest: Int64? = nil) -> Outage {
        Outage(limits: self.limits, modes: OutageModes(all: mode), nodes: nodes, dayRest: dayRest)
    }

    @Test func staticGivesANodeItsPartOfEachLimit() {
        var outage = self.outage(.static, dayRest: 1500)
        #expect(outage.admitsSlot(.socket, open: 2, limit: 9) == nil)
        #expect(outage.admitsSlot(.socket, open: 3, limit: 9)?.kind == .sockets)
        #expect(outage.admitsSlot(.session, open: 0, limit: 4) == nil)
        #expect(outage.admitsSlot(.session, open: 1, limit: 4)?.kind == .sessions)
        #expect(self.outage(.static, nodes: 100).admitsSlot(.session, open: 0, limit: 4) == nil)
        for _ in 0..<4 { #expect(outage.admitsConnect(now: self.now) == nil) }
        #expect(
            outage.admitsConnect(now: self.now) == QuotaRefusal(kind: .connectRate, retryAfterMilliseconds: 500))
        #expect(outage.admitsResolve(now: self.now) == nil)
        let resolve = outage.admitsResolve(now: self.now)
        #expect(resolve?.kind == .resolveRate)
        #expect(outage.pause(now: self.now) == nil)
        outage.charge(1000, now: self.now)
        #expect(outage.pause(now: self.now) != nil)
        let spent = outage.daySpent(now: self.now)
        #expect(spent?.kind == .dayBytes)
        let connect = outage.admitsConnect(now: self.now)
        #expect(connect?.kind == .dayBytes)
        #expect(outage.passed == 1000)
    }

    @Test func openLimitsNothing() {
        var outage = self.outage(.open)
        #expect(outage.admitsSlot(.socket, open: 900, limit: 9) == nil)
        for _ in 0..<100 { #expect(outage.admitsConnect(now: self.now) == nil) }
        for _ in 0..<100 { #expect(outage.admitsResolve(now: self.now) == nil) }
        outage.charge(1 << 30, now: self.now)
        #expect(outage.pause(now: self.now) == nil)
        #expect(outage.daySpent(now: self.now) == nil)
    }

    @Test func closedAdmitsNothingNew() {
        var outage = self.outage(.closed)
        #expect(outage.admitsSlot(.socket, open: 0, limit: 9)?.kind == .sockets)
        #expect(outage.admitsSlot(.session, open: 0, limit: 4)?.retryAfterMilliseconds == 1000)
        #expect(outage.admitsSlot(.session, open: 0, limit: 0) == nil)
        #expect(outage.admitsConnect(now: self.now) != nil)
        let resolve = outage.admitsResolve(now: self.now)
        #expect(resolve?.kind == .resolveRate)
        #expect(outage.pause(now: self.now) == self.now + .seconds(1))
    }
}

@Suite struct LeaseBucketTests {
    private let clock: ManualClock
    private let bucket: LeaseBucket
    private let leaseTime: QuotaDuration

    init() {
        let clock = ManualClock()
        self.clock = clock
        let settings = ClusterSettings(nodeID: "me", clock: { clock.now })
        self.bucket = LeaseBucket(index: 0, settings: settings)
        self.leaseTime = settings.leaseTime
        #expect(settings.hold > settings.timeToLive && settings.leaseTime < settings.timeToLive)
    }

    private func ask() throws -> (LeaseBucket.Standing, QuotaInstant) {
        let now = self.clock.now
        return (try #require(self.bucket.standing(under: self.bucket.epoch, now: now, isLease: true)), now)
    }

    @discardableResult
    private func answer(
        _ question: (LeaseBucket.Standing, QuotaInstant), _ verdict: LeaseBucket.Verdict = .done,
        generation: Int64 = 7, renews: Bool = true
    ) -> LeaseBucket.Outcome {
        self.bucket.answered(
            question.0, verdict, sentAt: question.1, now: self.clock.now, generation: generation, renews: renews)
    }

    private var isValid: Bool { self.bucket.isValid(epoch: self.bucket.epoch, now: self.clock.now) }

    /// Whether the consequence is that all is declared again, and what is too much ends.
    private func sheds(_ consequence: LeaseBucket.Consequence) -> Bool? {
        if case .redeclare(_, let sheds) = consequence { return sheds }
        return nil
    }

    @Test func anEpochIsJoinedByAnAnswerInTime() throws {
        #expect(!self.isValid)
        let question = try self.ask()
        #expect(question.0.joins && question.0.name == "me.\(question.0.epoch)")
        self.clock.advance(.microseconds(self.leaseTime.microseconds - 1))
        #expect(self.answer(question).counts)
        #expect(self.isValid)
        self.clock.advance(.microseconds(1))
        #expect(!self.isValid)
    }

    @Test func anAnswerThatTookLongerThanALeaseIsThrownAway() throws {
        let question = try self.ask()
        self.clock.advance(self.leaseTime)
        let outcome = self.answer(question)
        #expect(!outcome.counts && self.sheds(outcome.consequence) == nil && !self.isValid)
        let again = try self.ask()
        #expect(again.0.epoch == question.0.epoch && again.0.joins)
    }

    @Test func aLapsedLeaseIsNeverRevived() throws {
        self.answer(try self.ask())
        let heartbeat = try self.ask()
        #expect(!heartbeat.0.joins)
        self.clock.advance(self.leaseTime)
        let outcome = self.answer(heartbeat)
        #expect(!outcome.counts && self.sheds(outcome.consequence) == true)
        #expect(!self.isValid && self.bucket.epoch != heartbeat.0.epoch)
        #expect(!self.answer(heartbeat).counts)
        #expect(!self.isValid)
    }

    @Test func nothingIsSentUnderALapsedEpoch() throws {
        self.answer(try self.ask())
        let epoch = self.bucket.epoch
        #expect(self.sheds(self.bucket.leaveIfLapsed(now: self.clock.now)) == nil)
        self.clock.advance(self.leaseTime)
        #expect(self.bucket.standing(under: epoch, now: self.clock.now, isLease: true) == nil)
        #expect(self.bucket.heartbeat(now: self.clock.now) == nil)
        #expect(self.sheds(self.bucket.leaveIfLapsed(now: self.clock.now)) == true)
        #expect(self.bucket.epoch != epoch)
        #expect(self.bucket.standing(under: epoch, now: self.clock.now, isLease: true) == nil)
        #expect(self.sheds(self.bucket.leaveIfLapsed(now: self.clock.now)) == nil)
    }

    @Test func heartbeatsKeepAnEpochAlive() throws {
        #expect(self.bucket.heartbeat(now: self.clock.now) == nil)
        self.answer(try self.ask())
        for _ in 0..<6 {
            self.clock.advance(.microseconds(4_999_999))
            #expect(self.bucket.heartbeat(now: self.clock.now) == nil)
            self.clock.advance(.microseconds(1))
            let standing = try #require(self.bucket.heartbeat(now: self.clock.now))
            #expect(self.answer((standing, self.clock.now)).counts)
        }
        #expect(self.isValid)
        // One that is not answered is sent again soon.
        self.clock.advance(.seconds(5))
        #expect(self.bucket.heartbeat(now: self.clock.now) != nil)
        #expect(!self.bucket.failed(now: self.clock.now))
        self.clock.advance(.seconds(1))
        #expect(self.bucket.heartbeat(now: self.clock.now) != nil)
    }

    @Test func anAnswerWithoutRenewalProlongsNothing() throws {
        self.answer(try self.ask())
        self.clock.advance(.seconds(10))
        #expect(self.answer(try self.ask(), renews: false).counts)
        self.clock.advance(.microseconds(self.leaseTime.microseconds - 10_000_000))
        #expect(!self.isValid)
    }

    @Test func fencedAndLostLeaveTheEpoch() throws {
        self.answer(try self.ask())
        let first = try self.ask()
        #expect(self.sheds(self.answer(first, .fenced).consequence) == true)
        #expect(self.bucket.epoch != first.0.epoch && !self.isValid)
        self.answer(try self.ask())
        let second = try self.ask()
        #expect(second.0.generation == 7)
        #expect(self.sheds(self.answer(second, .lost, generation: 8).consequence) == false)
        #expect(self.bucket.epoch != second.0.epoch)
        #expect(try self.ask().0.generation == 8)
    }

    @Test func anEpochThatWasNeverJoinedIsNotLeft() throws {
        let question = try self.ask()
        #expect(!self.answer(question, .fenced).counts)
        #expect(!self.answer(try self.ask(), .lost, generation: 9).counts)
        let next = try self.ask()
        #expect(next.0.epoch == question.0.epoch && next.0.generation == 9)
    }

    @Test func anAnswerUnderAnotherGenerationGrantsNothing() throws {
        let (early, late) = (try self.ask(), try self.ask())
        #expect(self.answer(early, generation: 7).counts)
        #expect(!self.answer(late, generation: 8).counts)
        #expect(try self.ask().0.generation == 7)
    }

    @Test func anOutageShedsNothingAndWhatWasSaidIsSaidAgain() throws {
        self.answer(try self.ask())
        for opens in [false, false, true] { #expect(self.bucket.failed(now: self.clock.now) == opens) }
        #expect(self.bucket.isDegraded)
        self.clock.advance(self.leaseTime)
        #expect(self.sheds(self.bucket.leaveIfLapsed(now: self.clock.now)) == false)
        let probe = try #require(self.bucket.probe(now: self.clock.now))
        let outcome = self.answer((probe, self.clock.now), .fenced)
        #expect(outcome.recovered && !self.bucket.isDegraded)
        guard case .resync = outcome.consequence else { throw Unexpected() }
    }

    @Test func anUnusedEpochIsLeftToLapse() throws {
        self.answer(try self.ask())
        let epoch = self.bucket.epoch
        self.bucket.sweep { _ in true }
        #expect(self.bucket.epoch != epoch)
        #expect(self.bucket.retire() == nil)
        self.answer(try self.ask())
        #expect(self.bucket.retire() == "me.\(epoch + 1)")
        #expect(!self.isValid)
    }

    private struct Unexpected: Error {}
}
