import Testing
import WasmnetQuota
import WasmnetTesting

/// Many tasks on all cores at once; to be run under ThreadSanitizer as well.
struct ConcurrencyTests {
    let clock = ManualClock(noon)
    let client = ClientID(text: "a:203.0.113.7")

    @Test func neverAboveTheLimitAndBackToZero() async {
        let limits = ClientLimits.only(maxConnections: 5, maxSessions: 3)
        let ledger = InProcessLedger(clock: { [clock] in clock.now() })
        let open = AtomicCount()
        let most = AtomicCount()
        let granted = AtomicCount()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<16 {
                group.addTask { [client] in
                    var random = SeededRandom(UInt64(task))
                    var held: [QuotaSlot] = []
                    for _ in 0..<3_000 {
                        let allowance = ledger.allowance(for: client, limits: limits)
                        if let slot = allowance.slot(Bool.random(using: &random) ? .socket : .accepted, noon) {
                            let now = open.add(1)
                            most.raise(to: now)
                            granted.add(1)
                            held.append(slot)
                        }
                        if held.count > 1 || Bool.random(using: &random) {
                            let slot = held.popLast()
                            if slot != nil { open.add(-1) }
                            if Bool.random(using: &random) { slot?.release() }
                        }
                        if Int.random(in: 0..<50, using: &random) == 0 { await Task.yield() }
                    }
                    open.add(-held.count)
                }
            }
        }
        #expect(most.value <= 5)
        #expect(granted.value > 100)
        #expect(ledger.counts == QuotaCounts(clients: 1, sessions: 0, sockets: 0, forgottenEarly: 0))
    }

    @Test func oneSlotReleasedByManyComesBackOnce() async throws {
        let ledger = InProcessLedger(clock: { [clock] in clock.now() })
        let allowance = ledger.allowance(for: self.client, limits: .unlimited)
        let kept = try #require(allowance.slot(.socket, noon))
        for _ in 0..<300 {
            let slot = try #require(allowance.slot(.socket, noon))
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { slot.release() } }
            }
        }
        #expect(allowance.usage(now: noon).sockets == 1)
        kept.release()
        #expect(ledger.counts.sockets == 0)
    }

    @Test func noByteIsLostWhileLimitsChange() async {
        let ledger = InProcessLedger(clock: { [clock] in clock.now() })
        let allowance = ledger.allowance(for: self.client, limits: .unlimited)
        let variants = [
            ClientLimits.unlimited, ClientLimits.only(bytesPerSecond: 1e6), ClientLimits.only(bytesPerDay: 1 << 40),
            ClientLimits.only(bytesPerSecond: 1e9, bytesPerDay: 5),
        ]
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for step in 0..<5_000 {
                        allowance.charge(bytes: 3, now: noon + micro(Int64(step)))
                        _ = allowance.pause(now: noon)
                        _ = allowance.dayBytesExhausted(now: noon)
                        if task == 0 { allowance.apply(limits: variants[step % variants.count]) }
                        if task == 1, step % 16 == 0 { _ = allowance.usage(now: noon) }
                    }
                }
            }
        }
        #expect(allowance.usage(now: noon).bytesToday == 8 * 5_000 * 3)
    }

    @Test func theDayEndsAtTheExactByteForAllThreads() async {
        let ledger = InProcessLedger(clock: { [clock] in clock.now() })
        let limit: UInt64 = 100_000
        let allowance = ledger.allowance(for: self.client, limits: ClientLimits.only(bytesPerDay: limit))
        let passed = AtomicCount()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    while allowance.dayBytesExhausted(now: noon) == nil {
                        allowance.charge(bytes: 1, now: noon)
                        passed.add(1)
                    }
                }
            }
        }
        // Each task may have checked just before the last byte was charged: one read each.
        let total = UInt64(clamping: passed.value)
        #expect(total >= limit && total < limit + 8)
        #expect(allowance.usage(now: noon).bytesToday == total)
    }

    @Test func evictionNeverMakesTwoOfOneClient() async {
        let ledger = InProcessLedger(capacity: 8, clock: { [clock] in clock.now() })
        let open = (0..<24).map { _ in AtomicCount() }
        let most = AtomicCount()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    var random = SeededRandom(UInt64(task))
                    for _ in 0..<4_000 {
                        let number = Int.random(in: 0..<24, using: &random)
                        let allowance = ledger.allowance(
                            for: ClientID(text: "t:\(number)"), limits: ClientLimits.only(maxSessions: 1))
                        guard let slot = allowance.slot(.session, noon) else { continue }
                        most.raise(to: open[number].add(1))
                        if Int.random(in: 0..<8, using: &random) == 0 { await Task.yield() }
                        open[number].add(-1)
                        slot.release()
                    }
                }
            }
        }
        #expect(most.value == 1)
        #expect(ledger.counts.sessions == 0)
    }
}
