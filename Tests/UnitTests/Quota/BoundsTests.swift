import Testing
import WasmnetQuota
import WasmnetTesting

/// Random arrivals on a simulated clock; every window of admitted ones is compared with the documented bound.
struct BoundsTests {
    /// Arrivals with pauses, trickles and floods.
    private func step(_ random: inout SeededRandom, interval: Int64) -> Int64 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: .random(in: 0...(interval * 20), using: &random)
        case 1...3: .random(in: 0...interval, using: &random)
        default: .random(in: 0...(interval / 50 + 1), using: &random)
        }
    }

    /// The callers' time: readings arrive out of order, within the tolerance. Windows are measured by the latest.
    private func reading(of time: QuotaInstant, _ random: inout SeededRandom) -> QuotaInstant {
        Bool.random(using: &random) ? time : time - micro(.random(in: 0...900_000, using: &random))
    }

    @Test(arguments: 0..<40)
    func neverMoreConnectsThanBurstAndRate(round: Int) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        let rate = Double.random(in: 0.2...500, using: &random)
        let burst = Int.random(in: 1...60, using: &random)
        let pace = try #require(GCRA.Pace(perSecond: rate, burst: burst))
        let clock = ManualClock(noon)
        let ledger = InProcessLedger(clock: { clock.now() })
        let allowance = ledger.allowance(
            for: ClientID(text: "t:sim"), limits: ClientLimits.only(connectsPerSecond: rate, connectBurst: burst))

        var admitted: [Int64] = []
        var time = noon
        var latest = QuotaInstant.epoch
        for _ in 0..<4_000 {
            time = time + micro(self.step(&random, interval: pace.interval))
            let reading = self.reading(of: time, &random)
            latest = max(latest, reading)
            if allowance.slot(.socket, reading) != nil { admitted.append(latest.microseconds) }
        }
        #expect(admitted.count > burst)
        for first in admitted.indices {
            for last in first..<min(admitted.count, first + 300) {
                let span = admitted[last] - admitted[first]
                let bound = Int64(burst) + span / pace.interval + 1
                guard Int64(last - first + 1) > bound else { continue }
                Issue.record("seed \(seed): \(last - first + 1) in \(span) us, bound \(bound)")
                return
            }
        }
    }

    @Test(arguments: 0..<40)
    func neverMoreBytesThanBurstAndRateAndOneRead(round: Int) throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        let rate = Int64.random(in: 1_000...50_000_000, using: &random)
        let burst = Int64.random(in: 1_000...2_000_000, using: &random)
        let clock = ManualClock(noon)
        let ledger = InProcessLedger(clock: { clock.now() })
        let limits = ClientLimits.only(bytesPerSecond: Double(rate), byteBurst: Int(burst))
        // Eight sessions of one client, each with its own allowance.
        let sessions = (0..<8).map { _ in ledger.allowance(for: ClientID(text: "t:sim"), limits: limits) }
        let maxRead = 65_536

        var passed: [(time: Int64, bytes: Int64)] = []
        var time = noon
        var latest = QuotaInstant.epoch
        for _ in 0..<4_000 {
            time = time + micro(self.step(&random, interval: 1_000_000 * 16_384 / rate + 1))
            let reading = self.reading(of: time, &random)
            latest = max(latest, reading)
            let session = sessions[Int.random(in: 0..<8, using: &random)]
            if let until = session.pause(now: reading) {
                if Bool.random(using: &random) { time = max(time, until) }
                continue
            }
            let bytes = Int.random(in: 1...maxRead, using: &random)
            session.charge(bytes: bytes, now: reading)
            passed.append((latest.microseconds, Int64(bytes)))
        }
        #expect(passed.count > 10)
        for first in passed.indices {
            var sum: Int64 = 0
            for last in first..<min(passed.count, first + 300) {
                sum += passed[last].bytes
                let span = passed[last].time - passed[first].time
                let bound = burst + span * rate / 1_000_000 + 1 + Int64(maxRead)
                guard sum > bound else { continue }
                Issue.record("seed \(seed): \(sum) bytes in \(span) us, bound \(bound)")
                return
            }
        }
    }

    @Test func whoeverWaitsAsToldGetsTheWholeRate() throws {
        let clock = ManualClock(noon)
        let ledger = InProcessLedger(clock: { clock.now() })
        let allowance = ledger.allowance(
            for: ClientID(text: "t:sim"), limits: ClientLimits.only(bytesPerSecond: 1_250_000, byteBurst: 65_536))
        var time = noon
        var bytes = 0
        while time < noon + .seconds(60) {
            if let until = allowance.pause(now: time) {
                time = until
                continue
            }
            allowance.charge(bytes: 16_384, now: time)
            bytes += 16_384
        }
        #expect(bytes >= 1_250_000 * 60 && bytes <= 1_250_000 * 60 + 65_536 + 16_384)
    }

    @Test func aFloodIsToldTheRightMomentAndGetsItsRate() throws {
        let clock = ManualClock(noon)
        let ledger = InProcessLedger(clock: { clock.now() })
        let allowance = ledger.allowance(
            for: ClientID(text: "t:sim"), limits: ClientLimits.only(connectsPerSecond: 20, connectBurst: 40))
        var time = noon
        var admitted = 0
        while time < noon + .seconds(10) {
            if let refusal = allowance.refusal(.socket, time) {
                time = time + .milliseconds(Int64(refusal.retryAfterMilliseconds))
            } else {
                admitted += 1
            }
        }
        #expect(admitted == 40 + 10 * 20 - 1)
    }
}
