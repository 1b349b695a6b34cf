import Synchronization
import Testing
import WasmnetQuota

@Suite struct QuotaTests {
    private func at(_ microseconds: Int64) -> QuotaInstant { QuotaInstant(microseconds: microseconds) }

    private func ask(
        _ allowance: any ClientAllowance, _ what: Reservation, _ now: Int64
    ) throws -> Result<QuotaSlot?, QuotaRefusal> {
        try #require(allowance.reserve(what, now: self.at(now)) { _ in Issue.record("answered twice") })
    }

    private func ledger(_ limits: QuotaLimits) -> any ClientAllowance {
        InProcessLedger { QuotaInstant(microseconds: 0) }.allowance(for: ClientID(text: "a:1"), limits: limits)
    }

    @Test func slotsAreGivenOnceAndComeBackOnce() throws {
        let allowance = self.ledger(QuotaLimits(maxSockets: 2))
        let first = try self.ask(allowance, .socket, 0).get()
        let second = try self.ask(allowance, .accepted, 0).get()
        guard case .failure(let refusal) = try self.ask(allowance, .socket, 0) else {
            Issue.record("a third socket")
            return
        }
        #expect(refusal.kind == .sockets)
        first?.release()
        first?.release()
        #expect(allowance.usage(now: self.at(0)).sockets == 1)
        _ = consume second
        #expect(allowance.usage(now: self.at(0)).sockets == 0)
    }

    @Test func aRefusedRateTakesNoSlotAndTellsWhenToComeBack() throws {
        let allowance = self.ledger(QuotaLimits(maxSockets: 10, connectsPerSecond: 2, connectBurst: 2))
        var held = [try self.ask(allowance, .socket, 0).get(), try self.ask(allowance, .socket, 0).get()]
        guard case .failure(let refusal) = try self.ask(allowance, .socket, 0) else {
            Issue.record("beyond the burst")
            return
        }
        #expect(refusal.kind == .connectRate)
        #expect(refusal.retryAfterMilliseconds == 500)
        #expect(allowance.usage(now: self.at(0)).sockets == 2)
        held.append(try self.ask(allowance, .socket, 500_000).get())
        #expect(held.count == 3)
    }

    @Test func connectsStayWithinTheBoundInEveryWindow() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var state = seed
        let rate = try #require(GCRA.Rate(perSecond: 20, burst: 40))
        var limiter = GCRA()
        var passed: [Int64] = []
        var now: Int64 = 0
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            now += Int64(state >> 33) % 20_000
            if limiter.wait(rate, now: self.at(now)) == 0 {
                limiter.pass(rate, now: self.at(now))
                passed.append(now)
            }
        }
        for (index, start) in passed.enumerated() {
            for span in [1, 40, 100, 500] where index + span < passed.count {
                let seconds = Double(passed[index + span] - start) / 1e6
                #expect(Double(span + 1) <= 40 + 20 * seconds + 1, "seed \(seed)")
            }
        }
    }

    @Test func bytesStayWithinBurstPlusRate() throws {
        let rate = try #require(TokenBucket.Rate(bytesPerSecond: 1_000_000, burst: 100_000))
        var bucket = TokenBucket(rate, now: self.at(0))
        var now: Int64 = 0
        var sent: Int64 = 0
        while now < 10_000_000 {
            let wait = bucket.wait(rate, now: self.at(now))
            if wait > 0 {
                now += wait
                continue
            }
            bucket.charge(16_384, rate, now: self.at(now))
            sent += 16_384
            #expect(Double(sent) <= 100_000 + Double(now) + 16_384)
        }
        #expect(Double(sent) > 0.99 * 10_000_000)
    }

    @Test func theDayIsCountedAndEnds() throws {
        let allowance = self.ledger(QuotaLimits(bytesPerDay: 1000))
        let day: Int64 = 86_400_000_000
        allowance.charge(bytes: 999, now: self.at(day - 1_000_000))
        #expect(allowance.dayBytesExhausted(now: self.at(day - 1_000_000)) == nil)
        allowance.charge(bytes: 1, now: self.at(day - 1_000_000))
        #expect(allowance.dayBytesExhausted(now: self.at(day - 1_000_000))?.retryAfterMilliseconds == 1000)
        guard case .failure = try self.ask(allowance, .socket, day - 1) else {
            Issue.record("a socket without bytes")
            return
        }
        #expect(allowance.dayBytesExhausted(now: self.at(day)) == nil)
    }

    @Test func extremesNeverTrap() throws {
        let moments: [Int64] = [.min, .min + 1, -1, 0, 1, 1 << 50, .max - 1, .max]
        let rates: [Double] = [0, -1, 1e-9, 0.5, 1, 1e9, 1e300, .infinity, .nan]
        for rate in rates {
            for burst in [0, 1, Int(Int32.max), .max] {
                let limits = QuotaLimits(
                    maxSockets: .max, connectsPerSecond: rate, connectBurst: burst, bytesPerSecond: rate,
                    byteBurst: burst,
                    bytesPerDay: .max)
                let allowance = self.ledger(limits)
                for moment in moments + moments.reversed() {
                    allowance.charge(bytes: .max, now: self.at(moment))
                    _ = allowance.pause(now: self.at(moment))
                    _ = allowance.dayBytesExhausted(now: self.at(moment))
                    _ = try self.ask(allowance, .socket, moment)
                    _ = try self.ask(allowance, .resolve, moment)
                }
            }
        }
    }

    @Test func manyThreadsNeverPassTheLimit() async {
        let allowance = self.ledger(QuotaLimits(maxSockets: 10))
        let highest = Highest()
        await withTaskGroup(of: Void.self) { tasks in
            for _ in 0..<8 {
                tasks.addTask {
                    for _ in 0..<5000 {
                        let answer = allowance.reserve(.socket, now: QuotaInstant(microseconds: 0)) { _ in }
                        guard case .success(let slot)? = answer else { continue }
                        let open = allowance.usage(now: QuotaInstant(microseconds: 0)).sockets
                        highest.value.max(open, ordering: .relaxed)
                        slot?.release()
                    }
                }
            }
        }
        #expect(highest.value.load(ordering: .relaxed) <= 10)
        #expect(allowance.usage(now: self.at(0)).sockets == 0)
    }

    @Test func idleClientsAreForgottenButNotTheirDay() {
        let now = Clock()
        let ledger = InProcessLedger(rememberedClients: 10) { QuotaInstant(microseconds: now.value.load(ordering: .relaxed)) }
        for index in 0..<20 {
            let allowance = ledger.allowance(
                for: ClientID(text: "heavy\(index)"), limits: QuotaLimits(bytesPerDay: 1000))
            allowance.charge(bytes: 10, now: QuotaInstant(microseconds: 0))
        }
        now.value.store(61_000_000, ordering: .relaxed)
        for index in 0..<5000 {
            _ = ledger.allowance(for: ClientID(text: "light\(index)"), limits: QuotaLimits())
            now.value.add(61_000_000 / 500, ordering: .relaxed)
        }
        #expect(ledger.clientCount < 3000)
    }

    @Test func newLimitsHoldAtOnce() throws {
        let allowance = self.ledger(QuotaLimits(maxSockets: 5))
        let held = try (0..<5).map { _ in try self.ask(allowance, .socket, 0).get() }
        allowance.apply(limits: QuotaLimits(maxSockets: 2, bytesPerSecond: 1000))
        #expect(allowance.isBandwidthLimited)
        for slot in held.dropFirst(2) { slot?.release() }
        guard case .failure = try self.ask(allowance, .socket, 0) else {
            Issue.record("above the new limit")
            return
        }
    }
}

private final class Highest: Sendable {
    let value = Atomic(0)
}

private final class Clock: Sendable {
    let value = Atomic<Int64>(0)
}
