import Testing
import WasmnetQuota
import WasmnetTesting

struct AllowanceTests {
    let clock = ManualClock(noon)
    let ledger: InProcessLedger
    let client = ClientID(text: "a:203.0.113.7")

    init() {
        self.ledger = InProcessLedger(clock: { [clock] in clock.now() })
    }

    func allowance(_ limits: ClientLimits) -> any ClientAllowance {
        self.ledger.allowance(for: self.client, limits: limits)
    }

    @Test func everySessionOfAClientSharesOneAllowance() {
        let first = self.allowance(ClientLimits.only(maxConnections: 2))
        #expect(first === self.allowance(ClientLimits.only(maxConnections: 2)))
        #expect(first !== self.ledger.allowance(for: ClientID(text: "t:someone"), limits: .unlimited))
        #expect(first.client == self.client)
    }

    /// Names are compared byte for byte: to String each pair here is equal.
    @Test(arguments: [("t:e\u{301}", "t:\u{E9}"), ("t:\u{212A}ate", "t:Kate"), ("t:a\u{37E}", "t:a;")])
    func clientsThatLookAlikeAreTwo(one: String, other: String) {
        #expect(one == other)
        let first = self.ledger.allowance(for: ClientID(text: one), limits: .unlimited)
        #expect(first !== self.ledger.allowance(for: ClientID(text: other), limits: .unlimited))
        #expect(first === self.ledger.allowance(for: ClientID(text: one), limits: .unlimited))
    }

    @Test func slotsOfAllKindsCountTogetherAndComeBack() throws {
        let allowance = self.allowance(ClientLimits.only(maxConnections: 2, maxSessions: 1))
        let session = try #require(allowance.slot(.session, noon))
        let dialed = try #require(allowance.slot(.socket, noon))
        let accepted = try #require(allowance.slot(.accepted, noon))
        #expect(allowance.refusal(.session, noon) == QuotaRefusal(kind: .sessions))
        #expect(allowance.refusal(.socket, noon) == QuotaRefusal(kind: .sockets))
        #expect(allowance.refusal(.accepted, noon) == QuotaRefusal(kind: .sockets))
        #expect(self.ledger.counts == QuotaCounts(clients: 1, sessions: 1, sockets: 2, forgottenEarly: 0))
        dialed.release()
        #expect(allowance.usage(now: noon).sockets == 1)
        let again = try #require(allowance.slot(.accepted, noon))
        for slot in [session, accepted, again] { slot.release() }
        let usage = allowance.usage(now: noon)
        #expect(usage.sockets == 0 && usage.sessions == 0)
        #expect(self.ledger.counts == QuotaCounts(clients: 1, sessions: 0, sockets: 0, forgottenEarly: 0))
    }

    @Test func aSlotComesBackOnceHoweverItGoes() throws {
        let allowance = self.allowance(.unlimited)
        let kept = try #require(allowance.slot(.socket, noon))
        var slot = allowance.slot(.socket, noon)
        slot?.release()
        slot?.release()
        slot = nil
        #expect(allowance.usage(now: noon).sockets == 1, "released twice, then dropped: one")
        slot = allowance.slot(.socket, noon)
        #expect(allowance.usage(now: noon).sockets == 2 && slot != nil)
        slot = nil
        #expect(allowance.usage(now: noon).sockets == 1, "dropped without release")
        kept.release()
        #expect(allowance.usage(now: noon).sockets == 0)
    }

    @Test func nothingIsWrittenUnlessEverythingPasses() throws {
        let limits = ClientLimits.only(maxConnections: 1, connectsPerSecond: 1, connectBurst: 2)
        let allowance = self.allowance(limits)
        let slot = try #require(allowance.slot(.socket, noon))
        for _ in 0..<10 { #expect(allowance.refusal(.socket, noon)?.kind == .sockets) }
        #expect(allowance.usage(now: noon).connectsLeft == 1, "refused for want of a slot: the rate is untouched")
        slot.release()
        let second = try #require(allowance.slot(.socket, noon))
        second.release()
        #expect(allowance.refusal(.socket, noon) == QuotaRefusal(kind: .connectRate, retryAfterMilliseconds: 1_000))
        #expect(allowance.usage(now: noon).sockets == 0, "refused for the rate: no slot is taken")
        let accepted = try #require(allowance.slot(.accepted, noon), "the rate does not count what others open")
        accepted.release()
    }

    @Test func resolvesHaveARateAndNoSlot() throws {
        let allowance = self.allowance(ClientLimits.only(resolvesPerSecond: 0.5, resolveBurst: 1))
        let answer = try #require(allowance.take(.resolve, noon))
        #expect(try answer.get() == nil)
        #expect(allowance.refusal(.resolve, noon) == QuotaRefusal(kind: .resolveRate, retryAfterMilliseconds: 2_000))
        #expect(allowance.refusal(.resolve, noon + .milliseconds(2_000)) == nil)
    }

    @Test func bandwidthPausesUntilTheDebtIsPaid() throws {
        let allowance = self.allowance(ClientLimits.only(bytesPerSecond: 1_000, byteBurst: 500))
        #expect(allowance.readQuantum < .max)
        #expect(allowance.pause(now: noon) == nil)
        allowance.charge(bytes: 400, now: noon)
        #expect(allowance.pause(now: noon) == nil)
        allowance.charge(bytes: 600, now: noon)
        let until = try #require(allowance.pause(now: noon))
        #expect(until == noon + micro(500_001))
        #expect(allowance.pause(now: until - micro(1)) == until)
        #expect(allowance.pause(now: until) == nil)
        allowance.charge(bytes: 100, now: until)
        #expect(allowance.pause(now: until) != nil, "whoever wakes second sees what the first one read")
        #expect(allowance.usage(now: until).byteTokens == -100)
    }

    @Test func aClockSetBackDoesNotPauseForAnHour() throws {
        let allowance = self.allowance(ClientLimits.only(bytesPerSecond: 1_000, byteBurst: 500))
        allowance.charge(bytes: 1_500, now: noon)
        let before = noon - .seconds(3600)
        let until = try #require(allowance.pause(now: before))
        #expect(until == before + micro(1_000_001))
        #expect(allowance.pause(now: until) == nil)
    }

    @Test(arguments: [0.0, 1e9])
    func theDayEndsBytesAtOnceWithAndWithoutBandwidthLimit(bytesPerSecond: Double) {
        let limits = ClientLimits.only(bytesPerSecond: bytesPerSecond, bytesPerDay: 1_000)
        let allowance = self.allowance(limits)
        allowance.charge(bytes: 999, now: noon)
        #expect(allowance.dayBytesExhausted(now: noon) == nil)
        allowance.charge(bytes: 1, now: noon)
        let spent = QuotaRefusal(kind: .dayBytes, retryAfterMilliseconds: 43_200_000)
        #expect(allowance.dayBytesExhausted(now: noon) == spent)
        #expect(allowance.refusal(.socket, noon) == spent)
        #expect(allowance.usage(now: noon).bytesToday == 1_000)
        #expect(allowance.dayBytesExhausted(now: midnight) == nil)
        #expect(allowance.refusal(.socket, midnight) == nil)
        #expect(allowance.usage(now: midnight).bytesToday == 0)
    }

    @Test func unlimitedBytesAreCountedForTheirDay() {
        let allowance = self.allowance(.unlimited)
        #expect(allowance.readQuantum == .max)
        for _ in 0..<10 { allowance.charge(bytes: 100, now: noon) }
        #expect(allowance.usage(now: noon).bytesToday == 1_000)
        allowance.charge(bytes: 7, now: noon)
        allowance.charge(bytes: 5, now: midnight)
        #expect(allowance.usage(now: midnight).bytesToday == 5, "yesterday's are not today's")
        #expect(allowance.pause(now: midnight) == nil && allowance.dayBytesExhausted(now: midnight) == nil)
    }

    @Test func limitsChangeLive() throws {
        let allowance = self.allowance(ClientLimits.only(maxConnections: 3))
        var slots = (0..<3).compactMap { _ in allowance.slot(.socket, noon) }
        #expect(slots.count == 3)
        _ = self.allowance(ClientLimits.only(maxConnections: 2, bytesPerSecond: 1_000, byteBurst: 10, bytesPerDay: 50))
        #expect(allowance.readQuantum < .max, "the newest limits are in force for all who hold the allowance")
        #expect(allowance.refusal(.socket, noon)?.kind == .sockets)
        slots.removeLast(2)
        #expect(allowance.slot(.socket, noon) != nil)
        allowance.charge(bytes: 40, now: noon)
        #expect(allowance.pause(now: noon) != nil)
        allowance.apply(limits: ClientLimits.only(bytesPerDay: 40))
        #expect(allowance.pause(now: noon) == nil && allowance.readQuantum == .max, "unlimited at once")
        #expect(allowance.dayBytesExhausted(now: noon) != nil, "a lowered day limit holds for what was used")
        allowance.apply(limits: ClientLimits.only(bytesPerDay: 41))
        #expect(allowance.dayBytesExhausted(now: noon) == nil)
        allowance.charge(bytes: 1, now: noon)
        #expect(allowance.dayBytesExhausted(now: noon) != nil)
        allowance.apply(limits: .unlimited)
        #expect(allowance.dayBytesExhausted(now: noon) == nil)
        slots.removeAll()
        #expect(allowance.usage(now: noon).sockets == 0)
    }

    @Test func bytesBeforeADayLimitCountAgainstIt() {
        let allowance = self.allowance(.unlimited)
        allowance.charge(bytes: 1, now: noon)
        allowance.charge(bytes: 500, now: noon)
        allowance.apply(limits: ClientLimits.only(bytesPerDay: 501))
        #expect(allowance.dayBytesExhausted(now: noon) != nil)
    }

    @Test func extremesNeitherTrapNorLeak() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        let integers: [Int] = [.min, -1, 0, 1, 40, 1 << 32, .max]
        let rates: [Double] = [.nan, -.infinity, -1, 0, .leastNonzeroMagnitude, 0.5, 20, 1e300, .infinity]
        let instants: [Int64] = [.min, 0, noon.microseconds, midnight.microseconds, 1 << 52, .max]
        func limits() -> ClientLimits {
            ClientLimits.only(
                maxConnections: integers.randomElement(using: &random) ?? 0,
                maxSessions: integers.randomElement(using: &random) ?? 0,
                connectsPerSecond: rates.randomElement(using: &random) ?? 0,
                connectBurst: integers.randomElement(using: &random) ?? 0,
                resolvesPerSecond: rates.randomElement(using: &random) ?? 0,
                resolveBurst: integers.randomElement(using: &random) ?? 0,
                bytesPerSecond: rates.randomElement(using: &random) ?? 0,
                byteBurst: integers.randomElement(using: &random) ?? 0,
                bytesPerDay: [0, 1, 1 << 53, .max].randomElement(using: &random) ?? 0)
        }
        let allowance = self.allowance(limits())
        var slots: [QuotaSlot] = []
        for _ in 0..<20_000 {
            let now = QuotaInstant(microseconds: instants.randomElement(using: &random) ?? 0)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: allowance.apply(limits: limits())
            case 1, 2: allowance.charge(bytes: integers.randomElement(using: &random) ?? 0, now: now)
            case 3: if let until = allowance.pause(now: now) { #expect(until > now, "seed \(seed)") }
            case 4: _ = allowance.dayBytesExhausted(now: now)
            case 5: if !slots.isEmpty { slots.removeLast().release() }
            default:
                let what = Reservation.allCases.randomElement(using: &random) ?? .socket
                if let slot = allowance.slot(what, now) { slots.append(slot) }
            }
        }
        #expect(self.ledger.counts.sockets + self.ledger.counts.sessions == slots.count, "seed \(seed)")
        slots.removeAll()
        let usage = allowance.usage(now: noon)
        #expect(usage.sockets == 0 && usage.sessions == 0, "seed \(seed)")
    }
}
