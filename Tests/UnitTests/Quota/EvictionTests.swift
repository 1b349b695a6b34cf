import Testing
import WasmnetQuota
import WasmnetTesting

struct EvictionTests {
    let clock = ManualClock(noon)

    func ledger(capacity: Int = 65_536) -> InProcessLedger {
        InProcessLedger(capacity: capacity, clock: { [clock] in clock.now() })
    }

    private func name(_ number: Int) -> ClientID { ClientID(text: "a:2001:db8:0:\(number)::/64") }

    /// New clients that use nothing, so that the table's hand advances.
    private func turn(_ ledger: InProcessLedger, _ count: Int, limits: ClientLimits = .unlimited) {
        for number in 0..<count { _ = ledger.allowance(for: ClientID(text: "t:new\(number)"), limits: limits) }
    }

    @Test func clientsThatOweNothingAreDropped() {
        let ledger = self.ledger()
        for number in 0..<10_000 {
            let allowance = ledger.allowance(for: self.name(number), limits: ClientLimits.only(maxSessions: 4))
            let session = allowance.slot(.session, self.clock.now())
            session?.release()
        }
        #expect(ledger.counts.clients < 10)
        #expect(ledger.counts.forgottenEarly == 0)
    }

    @Test func aHeldAllowanceOrSlotKeepsItsClient() throws {
        let ledger = self.ledger(capacity: 4)
        let held = ledger.allowance(for: self.name(1), limits: ClientLimits.only(maxConnections: 1))
        let slot = try #require(
            ledger.allowance(for: self.name(2), limits: ClientLimits.only(maxConnections: 1)).slot(.socket, noon))
        self.turn(ledger, 1_000)
        #expect(ledger.allowance(for: self.name(1), limits: ClientLimits.only(maxConnections: 1)) === held)
        let again = ledger.allowance(for: self.name(2), limits: ClientLimits.only(maxConnections: 1))
        #expect(again.refusal(.socket, noon)?.kind == .sockets, "its slot is still counted")
        slot.release()
        #expect(again.refusal(.socket, noon) == nil)
    }

    @Test(arguments: [
        ClientLimits.only(connectsPerSecond: 1, connectBurst: 1), ClientLimits.only(bytesPerSecond: 1, byteBurst: 1),
        ClientLimits.only(bytesPerDay: 10),
    ])
    func whatIsOwedIsRememberedUntilItIsMadeGood(limits: ClientLimits) {
        let ledger = self.ledger()
        do {
            let allowance = ledger.allowance(for: self.name(1), limits: limits)
            allowance.slot(.socket, self.clock.now())?.release()
            allowance.charge(bytes: 10, now: self.clock.now())
        }
        self.turn(ledger, 100)
        do {
            let allowance = ledger.allowance(for: self.name(1), limits: limits)
            let now = self.clock.now()
            let isRefused = allowance.refusal(.socket, now) != nil || allowance.pause(now: now) != nil
            #expect(isRefused, "going away and coming back is no way round a limit")
        }
        self.clock.set(midnight)
        self.turn(ledger, 100)
        #expect(ledger.counts.clients <= 3, "made good: dropped")
        #expect(ledger.counts.forgottenEarly == 0)
    }

    @Test func theTableIsBoundedWhateverItsClientsOwe() {
        let ledger = self.ledger(capacity: 100)
        let limits = ClientLimits.only(bytesPerDay: 1_000)
        for number in 0..<5_000 {
            self.clock.advance(.milliseconds(1))
            ledger.allowance(for: self.name(number), limits: limits).charge(bytes: 10, now: self.clock.now())
        }
        #expect(ledger.counts.clients == 100)
        #expect(ledger.counts.forgottenEarly == 4_900)
    }

    @Test func theLongestIdleIsForgottenFirst() {
        let ledger = self.ledger(capacity: ClientTableSample.count)
        let limits = ClientLimits.only(bytesPerDay: 1_000)
        for number in 0..<ClientTableSample.count {
            self.clock.advance(.seconds(1))
            ledger.allowance(for: self.name(number), limits: limits).charge(bytes: 10, now: self.clock.now())
        }
        // The first one returns; then the second is the longest idle.
        self.clock.advance(.seconds(1))
        ledger.allowance(for: self.name(0), limits: limits).charge(bytes: 10, now: self.clock.now())
        ledger.allowance(for: self.name(99), limits: limits).charge(bytes: 10, now: self.clock.now())
        func used(_ number: Int) -> UInt64 {
            ledger.allowance(for: self.name(number), limits: limits).usage(now: self.clock.now()).bytesToday
        }
        #expect(used(0) == 20)
        #expect(used(2) == 10)
        #expect(used(1) == 0, "forgotten: a fresh allowance")
    }

    @Test func aTableThatGrewWithItsLiveClientsComesBack() {
        let ledger = self.ledger(capacity: 50)
        let limits = ClientLimits.only(bytesPerDay: 1_000)
        var held = (0..<400).map { ledger.allowance(for: self.name($0), limits: limits) }
        for allowance in held { allowance.charge(bytes: 1, now: self.clock.now()) }
        #expect(ledger.counts.clients == 400, "clients in use are never forgotten")
        held.removeAll()
        for number in 1_000..<1_400 {
            ledger.allowance(for: self.name(number), limits: limits).charge(bytes: 1, now: self.clock.now())
        }
        #expect(ledger.counts.clients == 50)
    }
}

/// As in the table, which is not visible from here.
private enum ClientTableSample {
    static let count = 16
}
