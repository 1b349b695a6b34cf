import Testing
import WasmnetQuota

struct DayCounterTests {
    @Test func aDayEndsAtMidnightUTC() {
        var day = DayCounter()
        day.roll(to: noon)
        day.add(100)
        #expect(day.end == midnight)
        day.roll(to: midnight - micro(1))
        #expect(day.used == 100)
        day.roll(to: midnight)
        #expect(day.used == 0 && day.end == midnight + .seconds(86_400))
    }

    @Test func aLateReadingAtMidnightAndAClockSetBackGiveNothingBack() {
        var day = DayCounter()
        day.roll(to: midnight)
        day.add(7)
        day.roll(to: midnight - micro(10))
        #expect(day.used == 7 && day.end == midnight + .seconds(86_400))
        day.roll(to: noon)
        #expect(day.used == 7 && day.end == midnight, "the day that it is now, with what was used")
    }

    @Test func saturates() {
        var day = DayCounter()
        day.add(.max)
        #expect(day.used == (1 << 53) - 1)
        day.add(.max)
        #expect(day.used == (1 << 53) - 1)
        #expect(day.left(of: 0) == nil)
        #expect(day.left(of: 1) == 0)
        #expect(day.left(of: .max) == .max - day.used)
        for extreme in [QuotaInstant.distantFuture, .epoch, .distantFuture] { day.roll(to: extreme) }
        #expect(day.end == .distantFuture)
    }
}

struct SlotCounterTests {
    @Test(arguments: [(1, 1), (3, 3), (0, 50), (-4, 50), (.max, 50)])
    func takesUpToTheLimit(limit: Int, granted: Int) {
        var counter = SlotCounter()
        #expect((0..<50).filter { _ in counter.take(limit: limit) }.count == granted)
        #expect(counter.inUse == granted)
    }

    @Test func aLoweredLimitRefusesUntilEnoughIsClosed() {
        var counter = SlotCounter()
        for _ in 0..<3 { counter.take(limit: 3) }
        counter.giveBack()
        let whileTwo = counter.take(limit: 2)
        counter.giveBack()
        let whileOne = counter.take(limit: 2)
        #expect(!whileTwo && whileOne)
        for _ in 0..<9 { counter.giveBack() }
        #expect(counter.inUse == 0)
    }
}
