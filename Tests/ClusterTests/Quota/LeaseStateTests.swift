import Testing
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

@Suite struct LeaseBucketTests {
    private let clock: ManualClock
    private let reach: RedisReach
    private let bucket: LeaseBucket
    private let leaseTime: QuotaDuration

    init() {
        let clock = ManualClock()
        self.clock = clock
        let settings = ClusterSettings(nodeID: "me", clock: { clock.now() })
        self.reach = RedisReach(outageTime: settings.outageTime)
        self.bucket = LeaseBucket(index: 0, reach: self.reach, settings: settings)
        self.leaseTime = settings.leaseTime
        #expect(settings.hold > settings.timeToLive && settings.leaseTime < settings.timeToLive)
    }

    private func ask() throws -> (LeaseBucket.LeaseState, QuotaInstant) {
        let now = self.clock.now()
        return (try #require(self.bucket.leaseState(under: self.bucket.epoch, now: now, isLease: true)), now)
    }

    @discardableResult
    private func answer(
        _ question: (LeaseBucket.LeaseState, QuotaInstant), _ status: LeaseBucket.ReplyStatus = .done,
        generation: Int64 = 7, renews: Bool = true
    ) -> LeaseBucket.Outcome {
        self.bucket.answered(
            question.0, status, sentAt: question.1, now: self.clock.now(),
            data: .init(generation: generation, hold: .zero), renews: renews)
    }

    private var isValid: Bool { self.bucket.isValid(epoch: self.bucket.epoch, now: self.clock.now()) }

    /// Whether the effect is that everything is declared again.
    private func redeclares(_ effect: LeaseBucket.Effect) -> Bool {
        if case .redeclare = effect { true } else { false }
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
        #expect(!outcome.counts && !self.redeclares(outcome.effect) && !self.isValid)
        let again = try self.ask()
        #expect(again.0.epoch == question.0.epoch && again.0.joins)
    }

    @Test func aLapsedLeaseIsNeverRevived() throws {
        self.answer(try self.ask())
        let heartbeat = try self.ask()
        #expect(!heartbeat.0.joins)
        self.clock.advance(self.leaseTime)
        let outcome = self.answer(heartbeat)
        #expect(!outcome.counts && self.redeclares(outcome.effect))
        #expect(!self.isValid && self.bucket.epoch != heartbeat.0.epoch)
        #expect(!self.answer(heartbeat).counts)
        #expect(!self.isValid)
    }

    @Test func nothingIsSentUnderALapsedEpoch() throws {
        self.answer(try self.ask())
        let epoch = self.bucket.epoch
        #expect(!self.redeclares(self.bucket.leaveIfLapsed(now: self.clock.now())))
        self.clock.advance(self.leaseTime)
        #expect(self.bucket.leaseState(under: epoch, now: self.clock.now(), isLease: true) == nil)
        #expect(self.bucket.heartbeat(now: self.clock.now()) == nil)
        #expect(self.redeclares(self.bucket.leaveIfLapsed(now: self.clock.now())))
        #expect(self.bucket.epoch != epoch)
        #expect(self.bucket.leaseState(under: epoch, now: self.clock.now(), isLease: true) == nil)
        #expect(!self.redeclares(self.bucket.leaveIfLapsed(now: self.clock.now())))
    }

    /// Nodes that did not answer a roll call may be at another Redis, with separate limits: when all are back at one, grants since then
    /// are firm only if the roll call had all answers.
    ///
    /// - Parameter age: how long it had lasted when the node noticed.
    @Test(arguments: [(1, 0), (16, 0), (1, 12)])
    func aRollCallThatEndedByTimeConfirmsNothing(seconds: Int, age: Int) throws {
        self.answer(try self.ask())
        func loss(_ generation: Int64) throws -> UInt64 {
            let question = try self.ask()
            let epoch = self.bucket.epoch
            let outcome = self.bucket.answered(
                question.0, .lost, sentAt: question.1, now: self.clock.now(),
                data: .init(generation: generation, hold: .seconds(16 - Int64(age))), renews: false)
            #expect(outcome.isLoss)
            return epoch
        }
        let first = try loss(8)
        #expect(self.bucket.countedUntilLoss(epoch: first))
        for second in 1...seconds {
            self.clock.advance(.seconds(1))
            let question = try self.ask()
            _ = self.bucket.answered(
                question.0, .done, sentAt: question.1, now: self.clock.now(),
                data: .init(generation: 8, hold: .seconds(second == seconds ? 0 : 16)), renews: true)
        }
        let second = try loss(9)
        #expect(self.bucket.countedUntilLoss(epoch: second) == (seconds + age == 1))
    }

    /// A node that learned about a loss, and could not declare its slots before others may have got them, holds none for certain.
    @Test func whatIsHeldStaysFirmAfterALossAsLongAsItsLeaseWouldHave() throws {
        self.answer(try self.ask())
        let epoch = self.bucket.epoch
        self.clock.advance(.seconds(5))
        let question = try self.ask()
        let loss = self.bucket.answered(
            question.0, .lost, sentAt: question.1, now: self.clock.now(),
            data: .init(generation: 8, hold: .seconds(16)), renews: false)
        #expect(loss.isLoss && self.bucket.countedUntilLoss(epoch: epoch))
        let between = self.bucket.epoch
        self.clock.advance(.microseconds(self.leaseTime.microseconds - 5_000_001))
        #expect(!self.redeclares(self.bucket.leaveIfLapsed(now: self.clock.now())))
        self.clock.advance(.microseconds(1))
        #expect(self.redeclares(self.bucket.leaveIfLapsed(now: self.clock.now())))
        #expect(!self.bucket.countedUntilLoss(epoch: between) && !self.bucket.countedUntilLoss(epoch: epoch))
        // Once: there is no lease that could end.
        self.clock.advance(.seconds(60))
        #expect(!self.redeclares(self.bucket.leaveIfLapsed(now: self.clock.now())))
    }

    @Test func heartbeatsKeepAnEpochAlive() throws {
        #expect(self.bucket.heartbeat(now: self.clock.now()) == nil)
        self.answer(try self.ask())
        for _ in 0..<6 {
            self.clock.advance(.microseconds(4_999_999))
            #expect(self.bucket.heartbeat(now: self.clock.now()) == nil)
            self.clock.advance(.microseconds(1))
            let leaseState = try #require(self.bucket.heartbeat(now: self.clock.now()))
            #expect(self.answer((leaseState, self.clock.now())).counts)
        }
        #expect(self.isValid)
        // An unanswered one is sent again soon.
        self.clock.advance(.seconds(5))
        #expect(self.bucket.heartbeat(now: self.clock.now()) != nil)
        self.bucket.missed(now: self.clock.now())
        self.clock.advance(.seconds(1))
        #expect(self.bucket.heartbeat(now: self.clock.now()) != nil)
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
        #expect(self.redeclares(self.answer(first, .fenced).effect))
        #expect(self.bucket.epoch != first.0.epoch && !self.isValid)
        self.answer(try self.ask())
        let second = try self.ask()
        #expect(second.0.generation == 7)
        #expect(self.redeclares(self.answer(second, .lost, generation: 8).effect))
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

    @Test func inAnOutageNoHeartbeatIsSent() throws {
        self.answer(try self.ask())
        self.reach.asked(now: self.clock.now())
        while !self.reach.isOutage {
            self.clock.advance(.milliseconds(250))
            _ = self.reach.tick(now: self.clock.now())
        }
        #expect(self.bucket.heartbeat(now: self.clock.now()) == nil)
        #expect(self.reach.isProbeDue(now: self.clock.now()))
        #expect(self.reach.answered(time: nil, sentAt: self.clock.now(), now: self.clock.now()))
        #expect(self.bucket.heartbeat(now: self.clock.now()) != nil)
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
}
