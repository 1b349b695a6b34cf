import Testing

@testable import WasmnetRelay

/// The window on paths with a delay and a bottleneck.
@Suite struct DeliveryWayTests {
    /// A path with a delay and a bottleneck, and a sender that sends as much as the window allows.
    private struct Way {
        var window = DeliveryWindow()
        /// Nanoseconds of a round trip.
        var delay: Int64
        /// Bytes a millisecond at the far end.
        var rate: Int
        var now: Int64 = 0
        /// The bytes that the far end has not read yet, and the markers with the number of bytes before each.
        var queued = 0
        var sent = 0
        var taken = 0
        var markers: [(number: UInt64, behind: Int)] = []
        var answers: [(number: UInt64, at: Int64)] = []
        var maxQueued = 0
        /// The most bytes of one message; a session sends up to a third of the window in one.
        var largestPiece = 16 << 10

        mutating func mark() { self.markers.append((self.window.mark(now: self.now), self.sent)) }

        mutating func run(milliseconds: Int) {
            for _ in 0..<milliseconds {
                while self.window.hasRoom, self.queued < 8 << 20 {
                    let piece = max(16 << 10, min(self.largestPiece, self.window.limit / 3))
                    self.sent += piece
                    self.queued += piece
                    if self.window.send(piece) { self.mark() }
                }
                self.now += 1_000_000
                self.maxQueued = max(self.maxQueued, self.queued)
                let take = min(self.queued, self.rate)
                self.queued -= take
                self.taken += take
                while let first = self.markers.first, first.behind <= self.taken {
                    self.markers.removeFirst()
                    self.answers.append((first.number, self.now + self.delay))
                }
                while let first = self.answers.first, first.at <= self.now {
                    self.answers.removeFirst()
                    self.window.answered(first.number, now: self.now)
                    if self.window.needsMarker { self.mark() }
                }
            }
        }
    }

    /// A round trip is measured again every ten seconds, even if one message is more than the measured amount.
    @Test(arguments: [(Int64(40_000_000), 12_500), (100_000_000, 50_000), (1_000_000, 100_000)])
    func largeMessagesFillAWayForGood(delay: Int64, rate: Int) {
        var way = Way(delay: delay, rate: rate)
        way.largestPiece = 256 << 10
        way.mark()
        way.run(milliseconds: 5000)
        let before = way.taken
        way.run(milliseconds: 30_000)
        #expect(way.taken - before >= 27_000 * rate, "\((way.taken - before) / rate) ms of 30,000")
    }

    @Test func aPeerThatAnswersNoMarkerIsGivenUp() {
        var window = DeliveryWindow()
        while window.hasRoom { if window.send(16 << 10) { _ = window.mark(now: 0) } }
        #expect(window.onTheirWay == DeliveryWindow.largestFloor)
        window.stopProbing()
        for _ in 0..<1000 {
            if window.send(1 << 20) { _ = window.mark(now: 0) }
            #expect(window.hasRoom)
        }
    }

    /// A client nearby that reads 20 MB/s has queues of about ten milliseconds, and is not slowed down.
    @Test func aSlowReaderNearbyHasShortQueues() {
        var way = Way(delay: 100_000, rate: 20_000)
        way.mark()
        way.run(milliseconds: 500)
        way.maxQueued = 0
        way.run(milliseconds: 5000)
        #expect(way.maxQueued <= 320 << 10, "\(way.maxQueued)")
        #expect(way.taken >= 5400 * 20_000)
    }

    @Test func aVerySlowReaderHasEvenShorterOnes() {
        var way = Way(delay: 100_000, rate: 1000)
        way.mark()
        way.run(milliseconds: 3000)
        way.maxQueued = 0
        way.run(milliseconds: 3000)
        #expect(way.maxQueued <= 96 << 10, "\(way.maxQueued)")
        #expect(way.taken >= 5900 * 1000)
    }

    /// 100 ms and 100 MB/s hold ten megabytes: the window grows to them within a second or two.
    @Test func aLongFastWayIsFilled() {
        var way = Way(delay: 100_000_000, rate: 100_000)
        way.mark()
        way.run(milliseconds: 3000)
        let before = way.taken
        way.run(milliseconds: 3000)
        #expect(way.taken - before >= 3000 * 90_000, "\(way.taken - before)")
        #expect(way.window.limit >= 9_000_000)
        #expect(way.maxQueued <= 32_000_000)
    }

    /// The path gets longer in mid-life: the window follows within a few lifetimes of the old measurement.
    @Test func aWayThatGetsLongerIsMeasuredAnew() {
        var way = Way(delay: 1_000_000, rate: 50_000)
        way.mark()
        way.run(milliseconds: 2000)
        way.delay = 80_000_000
        way.run(milliseconds: 40_000)
        let before = way.taken
        way.run(milliseconds: 2000)
        #expect(way.taken - before >= 2000 * 45_000, "\(way.taken - before)")
    }

    /// A reader that stops and continues: nothing waits forever.
    @Test func aReaderThatStopsIsServedAgain() {
        var way = Way(delay: 1_000_000, rate: 50_000)
        way.mark()
        way.run(milliseconds: 1000)
        way.rate = 0
        way.run(milliseconds: 60_000)
        #expect(way.queued <= 1 << 20)
        way.rate = 50_000
        let before = way.taken
        way.run(milliseconds: 2000)
        #expect(way.taken - before >= 1900 * 50_000)
    }

    @Test func answersThatFitNothingAreIgnored() {
        var window = DeliveryWindow()
        window.answered(0, now: 5)
        window.answered(.max, now: 5)
        #expect(window.roundTrip == nil)
        let first = window.mark(now: 10)
        let second = window.mark(now: 20)
        window.answered(second, now: 30)
        #expect(window.roundTrip == 10)
        // The first counts as answered with it, and a second answer has no effect.
        window.answered(first, now: 31)
        window.answered(second, now: 25)
        #expect(window.roundTrip == 10)
    }
}
