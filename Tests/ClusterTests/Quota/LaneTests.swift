import Testing
import WasmnetQuota

@testable import WasmnetCluster

/// A lane with a clock, and answers at will.
private final class Bench {
    var lane = Lane(slots: .sockets, requests: .connectRate)
    var now = QuotaInstant(microseconds: 1_000_000_000)
    private var sequence: Int64 = 0

    init(limit: Int = 0, pace: GCRA.Pace? = nil) {
        self.lane.apply(slotLimit: limit)
        self.lane.pace = pace
    }

    func advance(_ milliseconds: Int64) { self.now = self.now + .milliseconds(milliseconds) }

    func take(slot: Bool = true, request: Bool = false, isLeaseValid: Bool = true) -> Lane.Answer {
        self.lane.take(Lane.Need(slot: slot, request: request), now: self.now, isLeaseValid: isLeaseValid)
    }

    func ask(slots: Int = 0, requests: Int = 0) -> Lane.Ask? {
        self.sequence += 1
        let waiting =
            [Lane.Need](repeating: Lane.Need(slot: true, request: false), count: slots)
            + [Lane.Need](repeating: Lane.Need(slot: false, request: true), count: requests)
        return self.lane.ask(for: waiting, now: self.now, sequence: self.sequence)
    }

    func reply(
        _ ask: Lane.Ask, granted: Int = 0, room: Int = 0, requests: Int = 0,
        missing: Lane.Reply.Missing = .nothing, wait: Int64 = 0
    ) {
        let reply = Lane.Reply(
            granted: granted, room: room, requests: requests, missing: missing, wait: .milliseconds(wait))
        self.lane.replied(ask, reply, now: self.now)
    }

    /// Asks for slots and is granted them.
    func grant(_ slots: Int, room: Int = 0) throws {
        let ask = try #require(self.ask(slots: 1))
        self.reply(ask, granted: slots, room: room)
    }

    func shouldRequest(after milliseconds: Int64) -> Bool {
        self.advance(milliseconds)
        return self.lane.shouldRequest(now: self.now)
    }
}

@Suite struct LaneSlotTests {
    @Test func takesWhatWasGrantedAndNoMore() throws {
        let bench = Bench(limit: 10)
        #expect(bench.take() == .unknown)
        try bench.grant(3)
        for _ in 0..<3 { #expect(bench.take() == .taken) }
        #expect(bench.take() == .unknown)
        bench.lane.release()
        #expect(bench.take(isLeaseValid: false) == .unknown)
        #expect(bench.take() == .taken)
    }

    /// As after an outage, when nodes admitted for themselves: who opens and closes all the time must not keep the client above its limit.
    @Test func aboveTheLimitNothingIsOpenedAgainWithoutAsking() throws {
        let bench = Bench(limit: 10)
        try bench.grant(8)
        for _ in 0..<8 { #expect(bench.take() == .taken) }
        let ask = try #require(bench.ask())
        bench.reply(ask, granted: 8, room: -6)
        bench.lane.release()
        #expect(bench.lane.granted == 7)
        #expect(bench.take() == .unknown)
        // And Redis is told soon, though nobody waits.
        #expect(bench.shouldRequest(after: 200))
        let told = try #require(bench.ask(slots: 1))
        #expect(told.open == 7 && told.held == 7 && told.target >= 8)
        bench.reply(told, granted: 7, room: -5, missing: .slots)
        #expect(bench.take() != .taken)
        // Below the limit again, a slot that falls free is one's own.
        bench.lane.release()
        let last = try #require(bench.ask())
        bench.reply(last, granted: 6, room: 0)
        bench.lane.release()
        #expect(bench.take() == .taken)
    }

    /// An outage that follows before an answer came gives the same room once.
    @Test func creditIsNotGivenTwice() throws {
        let bench = Bench(limit: 30)
        try bench.grant(4, room: 12)
        for _ in 0..<4 { #expect(bench.take() == .taken) }
        let most = bench.lane.slotsInOutage(parts: 3, now: bench.now)
        #expect(most == 8)
        for _ in 0..<4 { #expect(bench.lane.takeOnCredit(most, now: bench.now) == .taken) }
        #expect(bench.lane.loose == 4 && bench.lane.slotsInOutage(parts: 3, now: bench.now) == most)
    }

    /// As where the question waited out a silence of Redis: its answer knows nothing of what was opened on credit meanwhile.
    @Test func anAnswerEndsNothingThatWasOpenedSinceItsQuestion() throws {
        let bench = Bench(limit: 30)
        let old = try #require(bench.ask(slots: 1))
        for _ in 0..<5 { #expect(bench.lane.takeOnCredit(30, now: bench.now) == .taken) }
        bench.reply(old, granted: 0, room: 30)
        bench.advance(3000)
        #expect(bench.lane.endExcess(now: bench.now) == 0)
        // It is declared at once, and judged by the answer to that.
        let next = try #require(bench.ask())
        #expect(next.open == 5 && next.loose == 5)
        #expect(bench.lane.takeOnCredit(30, now: bench.now) == .taken)
        bench.reply(next, granted: 2)
        #expect(bench.lane.endExcess(now: bench.now) == 3)
    }

    /// A limit where there was none, as a lower one, lets what is open stay.
    @Test func aFirstLimitEndsNothing() throws {
        let bench = Bench()
        for _ in 0..<9 { #expect(bench.take() == .taken) }
        bench.lane.apply(slotLimit: 4)
        for _ in 0..<3 {
            bench.advance(3000)
            let ask = try #require(bench.ask())
            bench.reply(ask, granted: 4, room: -5)
            #expect(bench.lane.endExcess(now: bench.now) == 0)
        }
        #expect(bench.lane.loose == 0 && bench.take() == .unknown)
    }

    @Test func withoutALimitNothingIsAsked() {
        let bench = Bench()
        for _ in 0..<100 { #expect(bench.take(request: true, isLeaseValid: false) == .taken) }
        #expect(bench.ask(slots: 1) == nil)
        #expect(!bench.shouldRequest(after: 5000))
    }

    @Test func fewerSlotsHoldFromBeforeTheQuestionIsSent() throws {
        let bench = Bench(limit: 100)
        try bench.grant(8)
        #expect(bench.take() == .taken)
        #expect(bench.shouldRequest(after: 2000))
        let ask = try #require(bench.ask())
        #expect(ask.target == 1 && ask.open == 1 && ask.held == 1)
        #expect(bench.take() == .unknown)
    }

    @Test func whatMayBeOpenByTheTimeOfTheAnswerIsTold() throws {
        let bench = Bench(limit: 100)
        try bench.grant(8, room: 90)
        #expect(bench.take() == .taken)
        let ask = try #require(bench.ask(slots: 2))
        #expect(ask.open == 1 && ask.held == 8 && ask.slotNeeded)
        #expect(bench.take() == .taken)
    }

    @Test func onlyTheNewestQuestionsAnswerCounts() throws {
        let bench = Bench(limit: 10)
        let first = try #require(bench.ask(slots: 1))
        #expect(bench.ask(slots: 1) == nil)
        bench.lane.failed(first)
        let second = try #require(bench.ask(slots: 1))
        #expect(second.sequence > first.sequence)
        bench.reply(first, granted: 5)
        #expect(bench.lane.granted == 0)
        bench.reply(second, granted: 2)
        #expect(bench.lane.granted == 2)
        bench.reply(second, granted: 5)
        #expect(bench.lane.granted == 2)
    }

    @Test func aLostQuestionIsAskedAgainBeforeLong() throws {
        let bench = Bench(limit: 10)
        let ask = try #require(bench.ask(slots: 1))
        bench.lane.failed(ask)
        #expect(!bench.shouldRequest(after: 99))
        #expect(bench.shouldRequest(after: 1))
        #expect(!bench.lane.isIdle)
        bench.reply(try #require(bench.ask()), granted: 0)
        #expect(!bench.shouldRequest(after: 2000) && bench.lane.isIdle)
    }

    @Test func aRefusalIsRememberedAndWhatIsClosedMayBeOpenedAgain() throws {
        let bench = Bench(limit: 2)
        try bench.grant(2)
        #expect(bench.take() == .taken)
        #expect(bench.take() == .taken)
        let ask = try #require(bench.ask(slots: 1))
        bench.reply(ask, granted: 2, missing: .slots)
        #expect(bench.take() == .refused(QuotaRefusal(kind: .sockets)))
        bench.lane.release()
        #expect(bench.take() == .taken)
        bench.advance(249)
        #expect(bench.take() == .refused(QuotaRefusal(kind: .sockets)))
        bench.advance(1)
        #expect(bench.take() == .unknown)
    }

    @Test func aFencedLaneHasNothingAndSaysWhatItReplaces() throws {
        let bench = Bench(limit: 10)
        try bench.grant(4)
        #expect(bench.take() == .taken)
        let pending = try #require(bench.ask(slots: 1))
        bench.lane.fenced(leaving: "a.1")
        bench.reply(pending, granted: 9)
        #expect(bench.lane.granted == 0 && bench.take() == .unknown)
        #expect(bench.shouldRequest(after: 100))
        let ask = try #require(bench.ask())
        #expect(ask.replaces == "a.1" && ask.open == 1 && ask.held == 1)
        bench.lane.failed(ask)
        let again = try #require(bench.ask())
        #expect(again.replaces == "a.1")
        bench.reply(again, granted: 1)
        #expect(try #require(bench.ask(slots: 1)).replaces == "")
    }

    /// Found by the simulation: after an outage leases of which nothing was in use any more held the slots until they ended.
    @Test func aLeaseThatLapsedWithNothingOpenIsGivenUpToo() throws {
        let bench = Bench(limit: 10)
        try bench.grant(4)
        bench.lane.fenced(leaving: "a.1")
        #expect(bench.shouldRequest(after: 100))
        let ask = try #require(bench.ask())
        #expect(ask.replaces == "a.1" && ask.open == 0 && ask.held == 0)
    }

    @Test func whatIsCountedAboveTheGrantIsGivenBackToo() throws {
        let bench = Bench(limit: 10)
        for _ in 0..<3 { bench.lane.takeOnCredit(now: bench.now) }
        #expect(bench.shouldRequest(after: 100))
        let ask = try #require(bench.ask())
        bench.reply(ask, granted: 0)
        #expect(bench.lane.excess == 3 && bench.lane.counted == 3)
        for _ in 0..<3 { bench.lane.release() }
        #expect(!bench.lane.isIdle)
        #expect(bench.shouldRequest(after: 2000))
        bench.reply(try #require(bench.ask()), granted: 0)
        #expect(bench.lane.isIdle)
    }

    @Test func aLowerLimitLeavesNothingToSpare() throws {
        let bench = Bench(limit: 10)
        try bench.grant(8)
        #expect(bench.take() == .taken)
        bench.lane.apply(slotLimit: 4)
        #expect(bench.take() == .unknown)
        // Nor does an answer under the old one.
        let ask = try #require(bench.ask(slots: 1))
        bench.lane.apply(slotLimit: 3)
        bench.reply(ask, granted: 4)
        #expect(bench.take() == .unknown && bench.lane.counted == 4)
    }

    @Test func aLimitThatComesBackIsToldWhatIsOpen() throws {
        let bench = Bench(limit: 10)
        try bench.grant(2)
        #expect(bench.take() == .taken)
        bench.lane.apply(slotLimit: 0)
        #expect(bench.take() == .taken)
        bench.lane.apply(slotLimit: 10)
        #expect(bench.shouldRequest(after: 100))
        #expect(try #require(bench.ask()).open == 2)
    }

    @Test func keepsSomeToSpareWhileThereIsRoomAndNoneWhenIdle() throws {
        let bench = Bench(limit: 1000)
        try bench.grant(1, room: 900)
        #expect(bench.take() == .taken)
        #expect(bench.shouldRequest(after: 100))
        let ask = try #require(bench.ask())
        #expect(ask.target == 9 && !ask.slotNeeded)
        bench.reply(ask, granted: 9, room: 8)
        #expect(!bench.shouldRequest(after: 500))
        #expect(bench.shouldRequest(after: 1500))
        let idle = try #require(bench.ask())
        #expect(idle.target == 1)
        bench.reply(idle, granted: 1, room: 3)
        #expect(bench.take() == .unknown)
        #expect(try #require(bench.ask(slots: 1)).target == 2)
    }

    @Test func keepsAsManyAsWereOpenAtOnceOfLate() throws {
        let bench = Bench(limit: 1000)
        try bench.grant(40, room: 900)
        for _ in 0..<30 { #expect(bench.take() == .taken) }
        for _ in 0..<29 { bench.lane.release() }
        bench.advance(500)
        #expect(bench.take() == .taken)
        // More than a client without such a peak would keep to spare.
        #expect(!bench.shouldRequest(after: 100))
        #expect(bench.lane.granted == 40)
        // Long after the peak they go back, though the client goes on.
        for _ in 0..<4 {
            bench.advance(400)
            bench.lane.release()
            #expect(bench.take() == .taken)
        }
        #expect(bench.shouldRequest(after: 100))
        #expect(try #require(bench.ask()).target <= 2 + Lane.maxSpare)
    }

    @Test func whatIsHeldForLongIsDeclaredAgain() throws {
        let bench = Bench(limit: 10)
        try bench.grant(1)
        #expect(bench.take() == .taken)
        #expect(!bench.shouldRequest(after: 52_999))
        // Spread over eight seconds, by the number of the question.
        #expect(bench.shouldRequest(after: 7001))
    }
}

@Suite struct LaneRequestTests {
    private let pace = GCRA.Pace(perSecond: 100, burst: 40)

    @Test func requestsAreLostAfterTheirTimeAndNotKeptByNewerOnes() throws {
        let bench = Bench(pace: self.pace)
        bench.reply(try #require(bench.ask(requests: 1)), requests: 2)
        bench.advance(200)
        bench.reply(try #require(bench.ask(requests: 1)), requests: 1)
        bench.advance(99)
        #expect(bench.take(slot: false, request: true) == .taken)
        bench.advance(1)
        #expect(bench.take(slot: false, request: true) == .taken)
        #expect(bench.take(slot: false, request: true) == .unknown)
        bench.reply(try #require(bench.ask(requests: 1)), requests: 1)
        bench.advance(300)
        #expect(bench.take(slot: false, request: true) == .unknown)
    }

    @Test func aRefusalIsRememberedWithItsWait() throws {
        let bench = Bench(pace: self.pace)
        bench.reply(try #require(bench.ask(requests: 1)), missing: .requests, wait: 700)
        bench.advance(300)
        let refused = QuotaRefusal(kind: .connectRate, retryAfterMilliseconds: 400)
        #expect(bench.take(slot: false, request: true) == .refused(refused))
        #expect(!bench.shouldRequest(after: 399))
        bench.advance(1)
        #expect(bench.take(slot: false, request: true) == .unknown)
    }

    /// At the limit one question brings what a quarter of a second allows, not one request after the other.
    @Test func requestsAreSavedUpWhereNoneIsLeft() throws {
        let bench = Bench(pace: GCRA.Pace(perSecond: 20, burst: 40))
        bench.reply(try #require(bench.ask(requests: 1)), requests: 1, wait: 50)
        #expect(bench.take(slot: false, request: true) == .taken)
        bench.advance(249)
        #expect(
            bench.take(slot: false, request: true)
                == .refused(QuotaRefusal(kind: .connectRate, retryAfterMilliseconds: 1)))
        bench.advance(1)
        #expect(bench.take(slot: false, request: true) == .unknown)
        // Where the burst is too small to save up in, none is lost.
        let small = Bench(pace: GCRA.Pace(perSecond: 20, burst: 1))
        small.reply(try #require(small.ask(requests: 1)), requests: 1, wait: 50)
        #expect(small.take(slot: false, request: true) == .taken)
        small.advance(50)
        #expect(small.take(slot: false, request: true) == .unknown)
    }

    @Test func drawsAheadAsManyAsWereWantedOfLate() throws {
        let bench = Bench(pace: self.pace)
        bench.reply(try #require(bench.ask(requests: 1)), requests: 8)
        for _ in 0..<8 { #expect(bench.take(slot: false, request: true) == .taken) }
        #expect(bench.shouldRequest(after: 200))
        let ask = try #require(bench.ask())
        #expect(ask.requests == 10 && ask.requestsNeeded == 0)
        bench.reply(ask, requests: 10)
        // Not wanted any more: none.
        #expect(!bench.shouldRequest(after: 2000))
    }

    @Test func aSlotAndARequestAreTakenTogetherOrNotAtAll() throws {
        let bench = Bench(limit: 5, pace: self.pace)
        let ask = try #require(bench.ask(slots: 1))
        bench.reply(ask, granted: 2)
        #expect(bench.take(slot: true, request: true) == .unknown)
        #expect(bench.lane.open == 0)
        bench.reply(try #require(bench.ask(requests: 1)), granted: 2, requests: 1)
        #expect(bench.take(slot: true, request: true) == .taken)
        #expect(bench.lane.open == 1)
    }
}

@Suite struct LanesTests {
    @Test func eachLimitIsOneLanes() {
        var lanes = Lanes()
        lanes.apply(
            ClientLimits.only(
                maxConnections: 7, maxSessions: 3, connectsPerSecond: 10, connectBurst: 5, resolvesPerSecond: 20))
        #expect(lanes.sessions.slotLimit == 3 && lanes.sessions.pace == nil)
        #expect(lanes.sockets.slotLimit == 7 && lanes.sockets.pace == GCRA.Pace(perSecond: 10, burst: 5))
        #expect(lanes.resolves.slotLimit == 0 && lanes.resolves.pace == GCRA.Pace(perSecond: 20, burst: 40))
        #expect(lanes.isIdle)
        lanes[.sessions].takeOnCredit(now: .epoch)
        #expect(lanes.sessions.open == 1 && !lanes.isIdle)
        lanes.apply(.unlimited)
        #expect(LaneKind.allCases.allSatisfy { lanes[$0].slotLimit == 0 && lanes[$0].pace == nil })
    }

    @Test func eachReservationKnowsWhatItNeeds() {
        #expect(Reservation.session.lane == .sessions && Reservation.session.need == .init(slot: true, request: false))
        #expect(Reservation.socket.lane == .sockets && Reservation.socket.need == .init(slot: true, request: true))
        #expect(Reservation.accepted.lane == .sockets && Reservation.accepted.need == .init(slot: true, request: false))
        #expect(Reservation.resolve.lane == .resolves && Reservation.resolve.need == .init(slot: false, request: true))
        #expect(Reservation.resolve.slotKind == nil && Reservation.accepted.slotKind == .socket)
    }

    @Test func bucketsHaveTagsOfTheirOwnSpreadOverTheSlots() {
        #expect(Set(RedisKeys.tags).count == RedisKeys.bucketCount)
        #expect(RedisKeys.bucket(of: ClientID(text: "123456789")) == 0x31C3 % 256)
        #expect(RedisKeys.generation(3).hasPrefix("wn:{\(RedisKeys.tags[3])}"))
    }
}

extension Lane {
    /// A slot that no lease stands for, as in an outage.
    @discardableResult
    mutating func takeOnCredit(_ most: Int = .max, now: QuotaInstant) -> Lane.Answer {
        self.take(Need(slot: true, request: false), now: now, isLeaseValid: false, slotsInAll: most, isSilent: true)
    }
}
