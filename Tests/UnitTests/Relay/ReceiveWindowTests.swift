import Testing
import WasmnetTesting

@testable import WasmnetRelay

@Suite struct ReceiveWindowTests {
    private static let millisecond: Int64 = 1_000_000

    private func drain(_ window: inout ReceiveWindow, _ bytes: Int) -> Int {
        window.drained(bytes, now: 0, roundTrip: nil, room: 0, widest: 0).grant
    }

    private func growth(
        of window: inout ReceiveWindow, by bytes: Int, now: Int64 = 0, roundTrip: Int64?, room: Int
    ) -> Int {
        window.drained(bytes, now: now, roundTrip: roundTrip, room: room, widest: 0).grown
    }

    @Test func oneByteMoreThanGrantedIsRefusedAndChangesNothing() {
        var window = ReceiveWindow(first: 1000, largest: 1000)
        #expect(window.receive(400) == true)
        #expect(window.receive(0) == true)
        let before = window
        #expect(window.receive(601) == false)
        #expect(window.receive(.max) == false)
        #expect(window == before)
        #expect(window.receive(600) == true)
        #expect(window.receive(1) == false)
    }

    /// Half of the window is worth a message; less is not, while the client has a quarter left.
    @Test func aGrantIsGivenWhenHalfIsDue() {
        var window = ReceiveWindow(first: 1000, largest: 1000)
        #expect(window.receive(600) == true)
        #expect(self.drain(&window, 499) == 0)
        #expect(self.drain(&window, 1) == 500)
        #expect(window.outstanding == 900 && window.held == 100)
    }

    @Test func aClientThatIsNearlyOutGetsWhateverIsDue() {
        var window = ReceiveWindow(first: 1000, largest: 1000)
        #expect(window.receive(751) == true)
        #expect(self.drain(&window, 1) == 1)
        #expect(window.outstanding == 250)
        #expect(self.drain(&window, 1) == 0, "a quarter is left, and one byte is no half")
    }

    @Test func moreLeavingThanCameGrantsNoMoreThanTheWindow() {
        var window = ReceiveWindow(first: 1000, largest: 1000)
        #expect(window.receive(1000) == true)
        #expect(self.drain(&window, 1_000_000) == 1000)
        #expect(window.outstanding == 1000 && window.held == 0)
        #expect(self.drain(&window, 1_000_000) == 0)
    }

    @Test func aWindowThatLeavesWithinARoundTripDoubles() {
        var window = ReceiveWindow(first: 1000, largest: 16_000)
        #expect(window.receive(1000) == true)
        let roundTrip = 100 * Self.millisecond
        let (grant, grown) = window.drained(1000, now: roundTrip, roundTrip: roundTrip, room: .max, widest: 0)
        #expect(grown == 1000)
        #expect(grant == 2000)
        #expect(window.size == 2000)
    }

    @Test func aWindowThatTakesLongerStaysAsItIs() {
        var window = ReceiveWindow(first: 1000, largest: 16_000)
        let roundTrip = 100 * Self.millisecond
        #expect(window.receive(1000) == true)
        #expect(self.growth(of: &window, by: 1000, now: 2 * roundTrip + 1, roundTrip: roundTrip, room: .max) == 0)
        #expect(window.size == 1000)
    }

    /// A path too short to be limited by the first window: it grows only to reduce the number of grants.
    @Test func nearAndUnmeasuredClientsGetMoreWhileAWindowLeavesWithinMilliseconds() {
        for roundTrip in [nil, 0, Self.millisecond - 1] as [Int64?] {
            var window = ReceiveWindow(first: 256 << 10, largest: 16 << 20)
            var now: Int64 = 0
            var grants = 0
            for _ in 0..<1024 {
                #expect(window.receive(64 << 10) == true)
                now += Self.millisecond
                if window.drained(64 << 10, now: now, roundTrip: roundTrip, room: .max, widest: 0).grant > 0 {
                    grants += 1
                }
            }
            #expect(window.size == 1 << 20, "round trip \(String(describing: roundTrip))")
            #expect(grants < 1024 / 7)
            var slow = ReceiveWindow(first: 1000, largest: 16_000)
            for turn in 1...10 as ClosedRange<Int64> {
                #expect(slow.receive(1000) == true)
                let now = turn * 11 * Self.millisecond
                #expect(self.growth(of: &slow, by: 1000, now: now, roundTrip: roundTrip, room: .max) == 0)
            }
        }
    }

    /// Of several uploads those that grew first would keep the others behind permanently: their data in flight makes every round longer.
    @Test func aWindowFollowsTheSessionsWidestWhereItsCreditHoldsItBack() {
        let slow = 50 * Self.millisecond
        var window = ReceiveWindow(first: 1000, largest: 16_000)
        #expect(window.receive(1000) == true)
        #expect(window.drained(1000, now: slow, roundTrip: nil, room: .max, widest: 4000) == (2000, 1000))
        #expect(window.receive(2000) == true)
        #expect(window.drained(2000, now: 2 * slow, roundTrip: nil, room: .max, widest: 4000) == (4000, 2000))
        #expect(window.receive(4000) == true)
        #expect(window.drained(4000, now: 3 * slow, roundTrip: nil, room: .max, widest: 4000) == (4000, 0))
        // Its target holds this one back.
        var waiting = ReceiveWindow(first: 1000, largest: 16_000)
        #expect(waiting.receive(1000) == true)
        #expect(waiting.drained(600, now: slow, roundTrip: nil, room: .max, widest: 4000).grown == 0)
        // And this one sends little.
        var quiet = ReceiveWindow(first: 1000, largest: 16_000)
        #expect(quiet.receive(500) == true)
        #expect(quiet.drained(500, now: slow, roundTrip: nil, room: .max, widest: 4000).grown == 0)
    }

    @Test func growthStopsAtTheSocketsAndAtTheSessionsBound() {
        let roundTrip = 10 * Self.millisecond
        var window = ReceiveWindow(first: 1000, largest: 3500)
        #expect(window.receive(1000) == true)
        #expect(self.growth(of: &window, by: 1000, roundTrip: roundTrip, room: 300) == 300)
        #expect(window.receive(1300) == true)
        #expect(self.growth(of: &window, by: 1300, roundTrip: roundTrip, room: 0) == 0)
        #expect(self.growth(of: &window, by: 1, roundTrip: roundTrip, room: -5) == 0)
        for _ in 0..<5 {
            #expect(window.receive(window.outstanding) == true)
            _ = window.drained(window.held, now: 0, roundTrip: roundTrip, room: .max, widest: 0)
        }
        #expect(window.size == 3500 && window.outstanding == 3500)
    }

    @Test func aLargestBelowTheFirstDoesNotShrinkIt() {
        var window = ReceiveWindow(first: 1000, largest: 10)
        #expect(window.receive(1000) == true)
        let (grant, grown) = window.drained(1000, now: 0, roundTrip: 10 * Self.millisecond, room: .max, widest: 0)
        #expect(grant == 1000)
        #expect(grown == 0)
    }

    /// Against a client that counts its own credit: the two never disagree, and once all is sent the client can always continue.
    @Test(arguments: [11, 12, 13, 14, 15, 16] as [UInt64]) func aSeededWalkAgreesWithAPlainClient(seed: UInt64) {
        var random = SeededRandom(seed)
        let first = Int.random(in: 1...10_000, using: &random)
        let largest = Int.random(in: 1...100_000, using: &random)
        var window = ReceiveWindow(first: first, largest: largest)
        var credit = first
        var held = 0
        var room = Int.random(in: 0...50_000, using: &random)
        var now: Int64 = 0
        func complain(_ step: Int, _ words: String) { Issue.record("seed \(seed), step \(step): \(words), \(window)") }
        for step in 0..<20_000 {
            now += Int64.random(in: 0...5 * Self.millisecond, using: &random)
            if Bool.random(using: &random) {
                let bytes = Int.random(in: 0...(credit + 2), using: &random)
                guard window.receive(bytes) == (bytes <= credit) else {
                    return complain(step, "\(bytes) of \(credit)")
                }
                if bytes <= credit {
                    credit -= bytes
                    held += bytes
                }
            } else {
                let bytes = Bool.random(using: &random) ? held : Int.random(in: 0...held, using: &random)
                let roundTrip = Int64.random(in: 0...20 * Self.millisecond, using: &random)
                let (grant, grown) = window.drained(
                    bytes, now: now, roundTrip: Bool.random(using: &random) ? roundTrip : nil, room: room,
                    widest: Int.random(in: 0...200_000, using: &random))
                held -= bytes
                credit += grant
                room -= grown
                guard grant >= 0, grown >= 0, room >= 0 else {
                    return complain(step, "granted \(grant), grew \(grown)")
                }
                if held == 0, credit * 4 < window.size { return complain(step, "nothing is held, but no credit given") }
            }
            guard window.outstanding == credit, window.held == held, credit + held <= window.size,
                window.size <= max(first, largest)
            else { return complain(step, "credit \(credit), held \(held)") }
        }
    }
}
