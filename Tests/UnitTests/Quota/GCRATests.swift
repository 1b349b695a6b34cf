import Testing
import WasmnetQuota
import WasmnetTesting

struct GCRATests {
    @Test(arguments: [
        // rate, burst, interval in microseconds, burst in force
        (20.0, 40, Int64(50_000), Int64(40)),
        (20, 0, 50_000, 40),
        (3, 1, 333_334, 1),
        (0.5, 0, 2_000_000, 1),
        (0.1, 0, 10_000_000, 1),
        (1e9, 0, 1, 2_000_000_000),
        (2e6, 5, 1, 5),
        (.leastNonzeroMagnitude, 9, 86_400_000_000, 9),
        (1e-9, .max, 86_400_000_000, 11_574),
        (.greatestFiniteMagnitude, .max, 1, 1_000_000_000_000_000),
        (20, -1, 50_000, 40),
    ])
    func paceInWholeMicroseconds(rate: Double, burst: Int, interval: Int64, inForce: Int64) throws {
        let pace = try #require(GCRA.Pace(perSecond: rate, burst: burst))
        #expect(pace.interval == interval)
        #expect(pace.burst == inForce)
    }

    @Test(arguments: [0.0, -0.0, -1, .nan, .infinity, -.infinity])
    func noPaceIsUnlimited(rate: Double) {
        #expect(GCRA.Pace(perSecond: rate, burst: 5) == nil)
    }

    @Test func burstThenPace() throws {
        let pace = try #require(GCRA.Pace(perSecond: 20, burst: 3))
        var limiter = GCRA()
        #expect(limiter.available(at: noon, pace: pace) == 3)
        for left in [2, 1, 0] {
            #expect(limiter.request(at: noon, pace: pace) == nil)
            #expect(limiter.available(at: noon, pace: pace) == left)
        }
        let full = limiter
        #expect(limiter.request(at: noon, pace: pace) == micro(50_000))
        #expect(limiter.request(at: noon + micro(49_999), pace: pace) == micro(1))
        #expect(limiter == full, "a refusal writes nothing")
        #expect(limiter.request(at: noon + micro(50_000), pace: pace) == nil)
        #expect(limiter.request(at: noon + micro(50_000), pace: pace) == micro(50_000))
        #expect(!limiter.isAtRest(at: noon + micro(199_999)))
        #expect(limiter.isAtRest(at: noon + micro(200_000)))
    }

    @Test func aClockSetBackIsRepairedAndForgivesNoBurst() throws {
        let pace = try #require(GCRA.Pace(perSecond: 20, burst: 3))
        var limiter = GCRA()
        for _ in 0..<3 { #expect(limiter.request(at: noon, pace: pace) == nil) }
        let before = noon - .seconds(3600)
        #expect(limiter.request(at: before, pace: pace) == micro(50_000), "waits one interval, not the hour")
        #expect(limiter.available(at: before, pace: pace) == 0)
        #expect(limiter.request(at: before + micro(50_000), pace: pace) == nil)
    }

    @Test func readingsThatArriveOutOfOrderEarnNothing() throws {
        let pace = try #require(GCRA.Pace(perSecond: 20, burst: 3))
        var limiter = GCRA()
        for _ in 0..<3 { #expect(limiter.request(at: noon, pace: pace) == nil) }
        let full = limiter
        for late in [Int64(1), 5_000, 999_999, 1_000_000] {
            #expect(limiter.request(at: noon - micro(late), pace: pace) == micro(50_000 + late))
        }
        #expect(limiter == full)
    }

    @Test func aLoweredBurstDoesNotLockOut() throws {
        let wide = try #require(GCRA.Pace(perSecond: 1, burst: 100))
        let narrow = try #require(GCRA.Pace(perSecond: 1, burst: 1))
        var limiter = GCRA()
        for _ in 0..<100 { #expect(limiter.request(at: noon, pace: wide) == nil) }
        let answer = limiter.request(at: noon, pace: narrow)
        let wait = try #require(answer)
        #expect(wait == micro(1_000_000))
        #expect(limiter.request(at: noon + wait, pace: narrow) == nil)
    }

    @Test func theWaitIsEnoughAndNotTooLong() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        for _ in 0..<2_000 {
            let rate = Double.random(in: 0.01...5_000, using: &random)
            let pace = try #require(GCRA.Pace(perSecond: rate, burst: .random(in: 0...50, using: &random)))
            var limiter = GCRA()
            var now = noon
            for _ in 0..<20 {
                if let wait = limiter.request(at: now, pace: pace) {
                    var early = limiter
                    #expect(early.request(at: now + wait - micro(1), pace: pace) == micro(1), "seed \(seed)")
                    var onTime = limiter
                    #expect(onTime.request(at: now + wait, pace: pace) == nil, "seed \(seed)")
                }
                now = now + micro(.random(in: 0...pace.interval, using: &random))
            }
        }
    }

    @Test func extremesNeitherTrapNorAdmitTwice() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        let instants: [Int64] = [.min, -1, 0, 1, noon.microseconds, 1 << 52, (1 << 53) + 1, .max]
        let rates: [Double] = [.leastNonzeroMagnitude, 1e-9, 0.5, 1, 20, 1e6, 1e300, .greatestFiniteMagnitude]
        let bursts: [Int] = [.min, -1, 0, 1, 40, .max]
        for _ in 0..<20_000 {
            var limiter = GCRA(theoreticalArrival: instants.randomElement(using: &random) ?? 0)
            let rate = rates.randomElement(using: &random) ?? 1
            let pace = try #require(GCRA.Pace(perSecond: rate, burst: bursts.randomElement(using: &random) ?? 0))
            for _ in 0..<4 {
                let now = QuotaInstant(microseconds: instants.randomElement(using: &random) ?? 0)
                let before = limiter.available(at: now, pace: pace)
                let wait = limiter.request(at: now, pace: pace)
                #expect((wait == nil) == (before > 0), "seed \(seed)")
                #expect((0...(1 << 53)).contains(limiter.theoreticalArrival), "seed \(seed)")
            }
        }
    }
}
