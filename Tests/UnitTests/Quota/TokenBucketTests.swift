import Testing
import WasmnetQuota
import WasmnetTesting

struct TokenBucketTests {
    @Test(arguments: [
        // bytes a second, burst, whole bytes a second, burst in force
        (1_250_000.0, 0, Int64(1_250_000), Int64(312_500)),
        (1_000, 0, 1_000, 65_536),
        (0.5, 0, 1, 65_536),
        (0.1, 10, 1, 10),
        (1e300, 0, 1_000_000_000_000, 1 << 32),
        (1e6, .max, 1_000_000, 1 << 32),
        (1e6, -3, 1_000_000, 250_000),
    ])
    func rateInWholeBytes(bytesPerSecond: Double, burst: Int, whole: Int64, inForce: Int64) throws {
        let rate = try #require(TokenBucket.Rate(bytesPerSecond: bytesPerSecond, burst: burst))
        #expect(rate.bytesPerSecond == whole)
        #expect(rate.burst == inForce)
    }

    @Test(arguments: [0.0, -1, .nan, .infinity])
    func noRateIsUnlimited(bytesPerSecond: Double) {
        #expect(TokenBucket.Rate(bytesPerSecond: bytesPerSecond, burst: 5) == nil)
    }

    @Test func debtIsPaidBeforeAnyoneReads() throws {
        let rate = try #require(TokenBucket.Rate(bytesPerSecond: 1_000, burst: 500))
        var bucket = TokenBucket()
        bucket.charge(bytes: 499, at: noon, rate: rate)
        #expect(bucket.bytes == 1 && bucket.positive(rate: rate) == noon)
        bucket.charge(bytes: 1_001, at: noon, rate: rate)
        #expect(bucket.bytes == -1_000)
        let positive = bucket.positive(rate: rate)
        #expect(positive == noon + micro(1_000_001))
        bucket.refill(at: positive - micro(1), rate: rate)
        #expect(bucket.level == 0)
        bucket.refill(at: positive, rate: rate)
        #expect(bucket.level == 1_000)
        #expect(!bucket.isFull(at: noon + micro(1_499_999), rate: rate))
        #expect(bucket.isFull(at: noon + micro(1_500_000), rate: rate))
        bucket.refill(at: noon + .seconds(3600), rate: rate)
        #expect(bucket.bytes == 500)
    }

    @Test func noFractionIsLostByAskingOften() throws {
        let rate = try #require(TokenBucket.Rate(bytesPerSecond: 7, burst: 1_000))
        var bucket = TokenBucket()
        bucket.charge(bytes: 1_000, at: noon, rate: rate)
        for step in stride(from: Int64(0), through: 10_000_000, by: 997) {
            bucket.refill(at: noon + micro(step), rate: rate)
        }
        bucket.refill(at: noon + .seconds(10), rate: rate)
        #expect(bucket.level == 70_000_000)
    }

    @Test func clocksThatDisagreeAddNothing() throws {
        let rate = try #require(TokenBucket.Rate(bytesPerSecond: 1_000_000, burst: 10))
        var bucket = TokenBucket()
        bucket.charge(bytes: 1_000_010, at: noon, rate: rate)
        // Two loops whose readings are 900 ms apart, alternating: 10 microseconds of real time each.
        for turn in 0..<1_000 as Range<Int64> {
            bucket.refill(at: noon + micro(turn * 10), rate: rate)
            bucket.refill(at: noon + micro(turn * 10) - .milliseconds(900), rate: rate)
        }
        #expect(bucket.bytes == -1_000_000 + 9_990)
    }

    @Test func aClockSetBackDoesNotStopTheRefill() throws {
        let rate = try #require(TokenBucket.Rate(bytesPerSecond: 1_000, burst: 500))
        var bucket = TokenBucket()
        bucket.charge(bytes: 1_500, at: noon, rate: rate)
        let before = noon - .seconds(3600)
        bucket.refill(at: before, rate: rate)
        #expect(bucket.bytes == -1_000, "the step itself brings nothing")
        #expect(bucket.positive(rate: rate) == before + micro(1_000_001))
    }

    @Test func grantsNeverGoIntoDebt() throws {
        let rate = try #require(TokenBucket.Rate(bytesPerSecond: 1_000, burst: 500))
        var bucket = TokenBucket()
        #expect(bucket.grant(bytes: 300, at: noon, rate: rate) == 300)
        #expect(bucket.grant(bytes: 300, at: noon, rate: rate) == 200)
        #expect(bucket.grant(bytes: 300, at: noon, rate: rate) == 0)
        #expect(bucket.grant(bytes: 300, at: noon + micro(1_999), rate: rate) == 1)
        #expect(bucket.grant(bytes: -5, at: noon + .seconds(9), rate: rate) == 0)
        #expect(bucket.grant(bytes: .max, at: noon + .seconds(9), rate: rate) == 500)
    }

    @Test func aLoweredBurstCutsAndARaisedOneFills() throws {
        let wide = try #require(TokenBucket.Rate(bytesPerSecond: 1_000, burst: 5_000))
        let narrow = try #require(TokenBucket.Rate(bytesPerSecond: 1_000, burst: 100))
        var bucket = TokenBucket()
        bucket.refill(at: noon, rate: wide)
        bucket.refill(at: noon, rate: narrow)
        #expect(bucket.bytes == 100)
        bucket.refill(at: noon, rate: wide)
        #expect(bucket.bytes == 100)
        bucket.refill(at: noon + .seconds(1), rate: wide)
        #expect(bucket.bytes == 1_100)
    }

    @Test func extremesStayInRange() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
        let instants: [Int64] = [.min, 0, 1, noon.microseconds, 1 << 52, .max]
        let amounts: [Int64] = [.min, -1, 0, 1, 65_536, 1 << 32, 1 << 52, .max]
        let rates: [Double] = [.leastNonzeroMagnitude, 0.5, 1, 1e6, 1e12, 1e300]
        let bursts: [Int] = [.min, 0, 1, 1 << 20, .max]
        let most = TokenBucket.maxBytes * 1_000_000
        for _ in 0..<5_000 {
            var bucket = TokenBucket()
            for _ in 0..<8 {
                let rate = try #require(
                    TokenBucket.Rate(
                        bytesPerSecond: rates.randomElement(using: &random) ?? 1,
                        burst: bursts.randomElement(using: &random) ?? 0))
                let now = QuotaInstant(microseconds: instants.randomElement(using: &random) ?? 0)
                let amount = amounts.randomElement(using: &random) ?? 0
                if Bool.random(using: &random) {
                    bucket.charge(bytes: amount, at: now, rate: rate)
                } else {
                    let granted = bucket.grant(bytes: amount, at: now, rate: rate)
                    #expect((0...rate.burst).contains(granted), "seed \(seed)")
                    #expect(bucket.level <= rate.burst * 1_000_000, "seed \(seed)")
                }
                #expect(abs(bucket.level) <= most, "seed \(seed)")
                #expect(bucket.positive(rate: rate) >= .epoch, "seed \(seed)")
            }
        }
    }
}
