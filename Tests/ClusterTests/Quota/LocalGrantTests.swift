import Testing
import WasmnetQuota

@testable import WasmnetCluster

/// A resource with a clock, and controllable answers.
private final class Bench {
    var resource = LocalGrant(slots: .sockets, requests: .connectRate)
    var now = QuotaInstant(microseconds: 1_000_000_000)
    private var sequence: Int64 = 0

    init(limit: Int = 0, pace: GCRA.Pace? = nil) {
        self.resource.apply(slotLimit: limit)
        self.resource.pace = pace
    }

    func advance(_ milliseconds: Int64) { self.now = self.now + .milliseconds(milliseconds) }

    func take(slot: Bool = true, request: Bool = false, isLeaseValid: Bool = true) -> LocalGrant.Decision {
        self.resource.take(LocalGrant.Need(slot: slot, request: request), now: self.now, isLeaseValid: isLeaseValid)
    }

    func ask(slots: Int = 0, requests: Int = 0) -> LocalGrant.Query? {
        self.sequence += 1
        let waiting =
            [LocalGrant.Need](repeating: LocalGrant.Need(slot: true, request: false), count: slots)
            + [LocalGrant.Need](repeating: LocalGrant.Need(slot: false, request: true), count: requests)
        return self.resource.makeQuery(for: waiting, now: self.now, sequence: self.sequence)
    }

    func reply(
        _ query: LocalGrant.Query, granted: Int = 0, room: Int = 0, requests: Int = 0,
        missing: LocalGrant.Reply.Missing = .nothing, wait: Int64 = 0
    ) {
        let reply = LocalGrant.Reply(
            granted: granted, room: room, requests: requests, missing: missing, wait: .milliseconds(wait))
        self.resource.replied(query, reply, now: self.now)
    }

    /// Requests slots and is granted them.
    func grant(_ slots: Int, room: Int = 0) throws {
        let query = try #require(self.ask(slots: 1))
        self.reply(query, granted: slots, room: room)
    }

    func shouldRequest(after milliseconds: Int64) -> Bool {
        self.advance(milliseconds)
        return self.resource.shouldRequest(now: self.now)
    }
}

@Suite struct LaneSlotTests {
    @Test func takesWhatWasGrantedAndNoMore() throws {
        let bench = Bench(limit: 10)
        #expect(bench.take() == .unknown)
        try bench.grant(3)
        for _ in 0..<3 { #expect(bench.take() == .taken) }
        #expect(bench.take() == .unknown)
        bench.resource.release()
        #expect(bench.take(isLeaseValid: false) == .unknown)
        #expect(bench.take() == .taken)
    }

    /// As after an outage, when nodes admitted on their own: opening and closing all the time must not keep the client above its limit.
    @Test func aboveTheLimitNothingIsOpenedAgainWithoutAsking() throws {
        let bench = Bench(limit: 10)
        try bench.grant(8)
        for _ in 0..<8 { #expect(bench.take() == .taken) }
        let query = try #require(bench.ask())
        bench.reply(query, granted: 8, room: -6)
        bench.resource.release()
        #expect(bench.resource.granted == 7)
        #expect(bench.take() == .unknown)
        // And Redis is informed soon, though no request waits.
        #expect(bench.shouldRequest(after: 200))
        let told = try #require(bench.ask(slots: 1))
        #expect(told.open == 7 && told.held == 7 && told.target >= 8)
        bench.reply(told, granted: 7, room: -5, missing: .slots)
        #expect(bench.take() != .taken)
        // Below the limit again, a released slot can be reused locally.
        bench.resource.release()
        let last = try #require(bench.ask())
        bench.reply(last, granted: 6, room: 0)
        bench.resource.release()
        #expect(bench.take() == .taken)
    }

    /// An outage that follows before an answer arrived gives the same room once.
    @Test func creditIsNotGivenTwice() throws {
        let bench = Bench(limit: 30)
        try bench.grant(4, room: 12)
        for _ in 0..<4 { #expect(bench.take() == .taken) }
        let most = bench.resource.slotsInOutage(parts: 3, now: bench.now)
        #expect(most == 8)
        for _ in 0..<4 { #expect(bench.resource.takeOnCredit(most, now: bench.now) == .taken) }
        #expect(bench.resource.loose == 4 && bench.resource.slotsInOutage(parts: 3, now: bench.now) == most)
    }

    /// As when the request outlasted a silence of Redis: its answer does not know about slots opened on credit meanwhile.
    @Test func anAnswerEndsNothingThatWasOpenedSinceItsQuestion() throws {
        let bench = Bench(limit: 30)
        let old = try #require(bench.ask(slots: 1))
        for _ in 0..<5 { #expect(bench.resource.takeOnCredit(30, now: bench.now) == .taken) }
        bench.reply(old, granted: 0, room: 30)
        bench.advance(3000)
        #expect(bench.resource.endExcess(now: bench.now) == 0)
        // It is declared at once, and decided by the answer to that.
        let next = try #require(bench.ask())
        #expect(next.open == 5 && next.loose == 5)
        #expect(bench.resource.takeOnCredit(30, now: bench.now) == .taken)
        bench.reply(next, granted: 2)
        #expect(bench.resource.endExcess(now: bench.now) == 3)
    }

    /// A new limit where there was none, like a lower one, lets open sockets stay.
    @Test func aFirstLimitEndsNothing() throws {
        let bench = Bench()
        for _ in 0..<9 { #expect(bench.take() == .taken) }
        bench.resource.apply(slotLimit: 4)
        for _ in 0..<3 {
            bench.advance(3000)
            let query = try #require(bench.ask())
            bench.reply(query, granted: 4, room: -5)
            #expect(bench.resource.endExcess(now: bench.now) == 0)
        }
        #expect(bench.resource.loose == 0 && bench.take() == .unknown)
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
        let query = try #require(bench.ask())
        #expect(query.target == 1 && query.open == 1 && query.held == 1)
        #expect(bench.take() == .unknown)
    }

    @Test func whatMayBeOpenByTheTimeOfTheAnswerIsTold() throws {
        let bench = Bench(limit: 100)
        try bench.grant(8, room: 90)
        #expect(bench.take() == .taken)
        let query = try #require(bench.ask(slots: 2))
        #expect(query.open == 1 && query.held == 8 && query.slotNeeded)
        #expect(bench.take() == .taken)
    }

    @Test func onlyTheNewestQuestionsAnswerCounts() throws {
        let bench = Bench(limit: 10)
        let first = try #require(bench.ask(slots: 1))
        #expect(bench.ask(slots: 1) == nil)
        bench.resource.failed(first)
        let second = try #require(bench.ask(slots: 1))
        #expect(second.sequence > first.sequence)
        bench.reply(first, granted: 5)
        #expect(bench.resource.granted == 0)
        bench.reply(second, granted: 2)
        #expect(bench.resource.granted == 2)
        bench.reply(second, granted: 5)
        #expect(bench.resource.granted == 2)
    }

    @Test func aLostQuestionIsAskedAgainBeforeLong() throws {
        let bench = Bench(limit: 10)
        let query = try #require(bench.ask(slots: 1))
        bench.resource.failed(query)
        #expect(!bench.shouldRequest(after: 99))
        #expect(bench.shouldRequest(after: 1))
        #expect(!bench.resource.isIdle)
        bench.reply(try #require(bench.ask()), granted: 0)
        #expect(!bench.shouldRequest(after: 2000) && bench.resource.isIdle)
    }

    @Test func aRefusalIsRememberedAndWhatIsClosedMayBeOpenedAgain() throws {
        let bench = Bench(limit: 2)
        try bench.grant(2)
        #expect(bench.take() == .taken)
        #expect(bench.take() == .taken)
        let query = try #require(bench.ask(slots: 1))
        bench.reply(query, granted: 2, missing: .slots)
        #expect(bench.take() == .refused(QuotaRefusal(kind: .sockets)))
        bench.resource.release()
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
        bench.resource.fenced(leaving: "a.1")
        bench.reply(pending, granted: 9)
        #expect(bench.resource.granted == 0 && bench.take() == .unknown)
        #expect(bench.shouldRequest(after: 100))
        let query = try #require(bench.ask())
        #expect(query.replaces == "a.1" && query.open == 1 && query.held == 1)
        bench.resource.failed(query)
        let again = try #require(bench.ask())
        #expect(again.replaces == "a.1")
        bench.reply(again, granted: 1)
        #expect(try #require(bench.ask(slots: 1)).replaces == "")
    }

    /// Found by the simulation: after an outage unused leases held the slots until they ended.
    @Test func aLeaseThatLapsedWithNothingOpenIsGivenUpToo() throws {
        let bench = Bench(limit: 10)
        try bench.grant(4)
        bench.resource.fenced(leaving: "a.1")
        #expect(bench.shouldRequest(after: 100))
        let query = try #require(bench.ask())
        #expect(query.replaces == "a.1" && query.open == 0 && query.held == 0)
    }

    @Test func whatIsCountedAboveTheGrantIsGivenBackToo() throws {
        let bench = Bench(limit: 10)
        for _ in 0..<3 { bench.resource.takeOnCredit(now: bench.now) }
        #expect(bench.shouldRequest(after: 100))
        let query = try #require(bench.ask())
        bench.reply(query, granted: 0)
        #expect(bench.resource.excess == 3 && bench.resource.counted == 3)
        for _ in 0..<3 { bench.resource.release() }
        #expect(!bench.resource.isIdle)
        #expect(bench.shouldRequest(after: 2000))
        bench.reply(try #require(bench.ask()), granted: 0)
        #expect(bench.resource.isIdle)
    }

    @Test func aLowerLimitLeavesNothingToSpare() throws {
        let bench = Bench(limit: 10)
        try bench.grant(8)
        #expect(bench.take() == .taken)
        bench.resource.apply(slotLimit: 4)
        #expect(bench.take() == .unknown)
        // Nor does an answer under the old one.
        let query = try #require(bench.ask(slots: 1))
        bench.resource.apply(slotLimit: 3)
        bench.reply(query, granted: 4)
        #expect(bench.take() == .unknown && bench.resource.counted == 4)
    }

    @Test func aLimitThatComesBackIsToldWhatIsOpen() throws {
        let bench = Bench(limit: 10)
        try bench.grant(2)
        #expect(bench.take() == .taken)
        bench.resource.apply(slotLimit: 0)
        #expect(bench.take() == .taken)
        bench.resource.apply(slotLimit: 10)
        #expect(bench.shouldRequest(after: 100))
        #expect(try #require(bench.ask()).open == 2)
    }

    @Test func keepsSomeToSpareWhileThereIsRoomAndNoneWhenIdle() throws {
        let bench = Bench(limit: 1000)
        try bench.grant(1, room: 900)
        #expect(bench.take() == .taken)
        #expect(bench.shouldRequest(after: 100))
        let query = try #require(bench.ask())
        #expect(query.target == 9 && !query.slotNeeded)
        bench.reply(query, granted: 9, room: 8)
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
        for _ in 0..<29 { bench.resource.release() }
        bench.advance(500)
        #expect(bench.take() == .taken)
        // More than a client without such a peak would keep spare.
        #expect(!bench.shouldRequest(after: 100))
        #expect(bench.resource.granted == 40)
        // Long after the peak they are returned, though the client continues.
        for _ in 0..<4 {
            bench.advance(400)
            bench.resource.release()
            #expect(bench.take() == .taken)
        }
        #expect(bench.shouldRequest(after: 100))
        #expect(try #require(bench.ask()).target <= 2 + LocalGrant.maxSpare)
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

    /// At the limit one request takes the amount of a quarter of a second, instead of one request after the other.
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
        // If the burst is too small to save up in, none is lost.
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
        let query = try #require(bench.ask())
        #expect(query.requests == 10 && query.requestsNeeded == 0)
        bench.reply(query, requests: 10)
        // Not wanted any more: none.
        #expect(!bench.shouldRequest(after: 2000))
    }

    @Test func aSlotAndARequestAreTakenTogetherOrNotAtAll() throws {
        let bench = Bench(limit: 5, pace: self.pace)
        let query = try #require(bench.ask(slots: 1))
        bench.reply(query, granted: 2)
        #expect(bench.take(slot: true, request: true) == .unknown)
        #expect(bench.resource.open == 0)
        bench.reply(try #require(bench.ask(requests: 1)), granted: 2, requests: 1)
        #expect(bench.take(slot: true, request: true) == .taken)
        #expect(bench.resource.open == 1)
    }
}

@Suite struct LanesTests {
    @Test func eachLimitIsOneLanes() {
        var grants = LocalGrants()
        grants.apply(
            ClientLimits.only(
                maxConnections: 7, maxSessions: 3, connectsPerSecond: 10, connectBurst: 5, resolvesPerSecond: 20))
        #expect(grants.sessions.slotLimit == 3 && grants.sessions.pace == nil)
        #expect(grants.sockets.slotLimit == 7 && grants.sockets.pace == GCRA.Pace(perSecond: 10, burst: 5))
        #expect(grants.resolves.slotLimit == 0 && grants.resolves.pace == GCRA.Pace(perSecond: 20, burst: 40))
        #expect(grants.isIdle)
        grants[.sessions].takeOnCredit(now: .epoch)
        #expect(grants.sessions.open == 1 && !grants.isIdle)
        grants.apply(.unlimited)
        #expect(ResourceKind.allCases.allSatisfy { grants[$0].slotLimit == 0 && grants[$0].pace == nil })
    }

    @Test func eachReservationKnowsWhatItNeeds() {
        #expect(
            Reservation.session.resource == .sessions && Reservation.session.need == .init(slot: true, request: false))
        #expect(Reservation.socket.resource == .sockets && Reservation.socket.need == .init(slot: true, request: true))
        #expect(
            Reservation.accepted.resource == .sockets && Reservation.accepted.need == .init(slot: true, request: false))
        #expect(
            Reservation.resolve.resource == .resolves && Reservation.resolve.need == .init(slot: false, request: true))
        #expect(Reservation.resolve.slotKind == nil && Reservation.accepted.slotKind == .socket)
    }

    @Test func bucketsHaveTagsOfTheirOwnSpreadOverTheSlots() {
        #expect(Set(RedisKeys.tags).count == RedisKeys.bucketCount)
        #expect(RedisKeys.bucket(of: ClientID(text: "123456789")) == 0x31C3 % 256)
        #expect(RedisKeys.generation(3).hasPrefix("wn:{\(RedisKeys.tags[3])}"))
    }
}

extension LocalGrant {
    /// A slot without a lease, as in an outage.
    @discardableResult
    mutating func takeOnCredit(_ most: Int = .max, now: QuotaInstant) -> LocalGrant.Decision {
        self.take(Need(slot: true, request: false), now: now, isLeaseValid: false, slotsInAll: most, isSilent: true)
    }
}
