import Testing
import WasmnetTesting

@testable import WasmnetRelay

@Suite struct DeliveryWindowTests {
    private static let millisecond: Int64 = 1_000_000

    @Test func aPeerThatNeverAnswersIsNotLimitedOnceItIsGivenUp() {
        var window = DeliveryWindow()
        for _ in 0..<100 {
            _ = window.send(1 << 20)
            _ = window.mark(now: 0)
        }
        #expect(!window.hasRoom && !window.needsMarker)
        window.stopProbing()
        #expect(window.hasRoom && !window.needsMarker)
        #expect(window.roundTrip == nil)
    }

    @Test func aPeerThatAnsweredIsNotGivenUp() {
        var window = DeliveryWindow()
        window.answered(window.mark(now: 0), now: Self.millisecond)
        _ = window.send(1 << 30)
        window.stopProbing()
        #expect(!window.hasRoom && window.needsMarker)
    }

    @Test func markersAreDueBehindTheFirstBytesAndThenByThirdsOfTheLimit() {
        var window = DeliveryWindow()
        #expect(window.send((16 << 10) - 1) == false)
        #expect(window.send(1) == true)
        _ = window.mark(now: 0)
        let third = window.limit / 3
        #expect(window.send(third - 1) == false)
        #expect(window.send(1) == true)
    }

    @Test func anAnswerTellsTheRoundTripAndWhatArrived() {
        var window = DeliveryWindow()
        _ = window.send(1000)
        let number = window.mark(now: 10 * Self.millisecond)
        _ = window.send(500)
        window.answered(number, now: 60 * Self.millisecond)
        #expect(window.roundTrip == 50 * Self.millisecond)
        #expect(window.onTheirWay == 500)
    }

    @Test func aShorterRoundTripReplacesALongerOneAtOnce() {
        var window = DeliveryWindow()
        for (elapsed, expected) in [(50, 50), (80, 50), (20, 20), (30, 20)] as [(Int64, Int64)] {
            window.answered(window.mark(now: 0), now: elapsed * Self.millisecond)
            #expect(window.roundTrip == expected * Self.millisecond)
        }
    }

    @Test func anOldRoundTripIsForgotten() {
        var window = DeliveryWindow()
        window.answered(window.mark(now: 0), now: Self.millisecond)
        let later = DeliveryWindow.roundTripLifetime + 2 * Self.millisecond
        window.answered(window.mark(now: later), now: later + 70 * Self.millisecond)
        #expect(window.roundTrip == 70 * Self.millisecond)
    }

    /// An answer covers all the markers before it (RFC 6455, section 5.5.3); their own answers are then too late.
    @Test func anAnswerCoversTheMarkersBeforeIt() {
        var window = DeliveryWindow()
        _ = window.send(1000)
        let first = window.mark(now: 0)
        _ = window.send(1000)
        let second = window.mark(now: 0)
        window.answered(second, now: 5)
        #expect(window.onTheirWay == 0)
        let before = window.limit
        window.answered(first, now: 1_000_000)
        window.answered(second, now: 1_000_000)
        #expect(window.onTheirWay == 0 && window.limit == before && window.roundTrip == 5)
    }

    @Test(arguments: [0, 2, 1 << 63, .max] as [UInt64]) func answersToNothingAreIgnored(number: UInt64) {
        var window = DeliveryWindow()
        _ = window.send(1000)
        #expect(window.mark(now: 0) == 1)
        window.answered(number, now: 5)
        #expect(window.onTheirWay == 1000 && window.roundTrip == nil)
    }

    @Test func aFullWindowHasNoRoomUntilBytesArrive() {
        var window = DeliveryWindow()
        window.answered(window.mark(now: 0), now: 20 * Self.millisecond)
        #expect(window.hasRoom)
        _ = window.send(window.limit)
        #expect(!window.hasRoom)
        #expect(window.needsMarker, "nothing that is awaited could make room")
        let number = window.mark(now: 20 * Self.millisecond)
        #expect(!window.needsMarker)
        window.answered(number, now: 40 * Self.millisecond)
        #expect(window.hasRoom && window.onTheirWay == 0)
    }

    @Test func aClockThatStandsOrRunsBackDividesByNothing() {
        var window = DeliveryWindow()
        _ = window.send(1 << 20)
        window.answered(window.mark(now: 100), now: 100)
        _ = window.send(1 << 20)
        window.answered(window.mark(now: 100), now: -100)
        #expect(window.limit <= 1 << 30 && window.limit >= DeliveryWindow.smallest)
        #expect(window.roundTrip == 1)
    }

    @Test func aPeerThatStopsAnsweringCostsNoMemory() {
        var window = DeliveryWindow()
        let first = window.mark(now: 0)
        for _ in 0..<10_000 { _ = window.mark(now: 0) }
        window.answered(first, now: 1)
        // Only this many of them were kept: the last are as if never sent.
        window.answered(10_001, now: 5)
        #expect(window.roundTrip == 1 && window.onTheirWay == 0)
    }

    /// The window shrinks with the first answer, and is full before the next marker is due.
    @Test func whatFillsTheWindowHasAMarkerBehindIt() {
        var window = DeliveryWindow()
        let first = window.mark(now: 0)
        let isDue = window.send(20_000)
        #expect(!isDue)
        window.answered(first, now: 500 * Self.millisecond)
        var marker: UInt64?
        while window.hasRoom { if window.send(1000) { marker = window.mark(now: 500 * Self.millisecond) } }
        window.answered(marker ?? 0, now: 501 * Self.millisecond)
        #expect(window.hasRoom)
    }

    /// Any peer: bounds hold, nothing traps, and once every marker is answered there is room again.
    @Test(arguments: [111, 112, 113, 114] as [UInt64]) func aSeededWalkStaysWithinItsBounds(seed: UInt64) {
        var random = SeededRandom(seed)
        var window = DeliveryWindow()
        var now: Int64 = 0
        var marks: [UInt64] = []
        var sent = 0
        for step in 0..<20_000 {
            now += Int64.random(in: 0...30 * Self.millisecond, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let bytes = Int.random(in: 0...200_000, using: &random)
                sent += bytes
                if window.send(bytes) { marks.append(window.mark(now: now)) }
            case 2 where !marks.isEmpty:
                let index = Int.random(in: 0..<marks.count, using: &random)
                window.answered(marks[index], now: now)
                if Bool.random(using: &random) { marks.removeFirst(index + 1) }
            default: window.answered(random.next(), now: now)
            }
            guard (DeliveryWindow.smallest...(1 << 30)).contains(window.limit), (0...sent).contains(window.onTheirWay)
            else {
                Issue.record("seed \(seed), step \(step): limit \(window.limit), \(window.onTheirWay) of \(sent)")
                return
            }
            if step % 1000 == 999 {
                let last = window.mark(now: now)
                window.answered(last, now: now + Self.millisecond)
                // More markers than are kept may be out; then the last one is not known.
                if window.onTheirWay == 0 { #expect(window.hasRoom, "seed \(seed), step \(step)") }
            }
        }
    }
}
