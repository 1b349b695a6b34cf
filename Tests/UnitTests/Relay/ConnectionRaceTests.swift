import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetRelay

/// RFC 8305, section 5.
@Suite struct ConnectionRaceTests {
    private let addresses = [IPAddress.six(1), .four(1), .six(2)]

    @Test func attemptsFollowOneAnotherByTheDelay() {
        var race = ConnectionRace(self.addresses)
        #expect(race.start() == [.attempt(.six(1)), .startDelay])
        #expect(race.delayPassed() == [.attempt(.four(1)), .startDelay])
        #expect(race.delayPassed() == [.attempt(.six(2))], "no delay behind the last")
        #expect(race.delayPassed() == [])
    }

    @Test func aFailureMovesOnAtOnceAndRestartsTheDelay() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        #expect(race.attemptFailed() == [.stopDelay, .attempt(.four(1)), .startDelay])
        #expect(race.attemptFailed() == [.stopDelay, .attempt(.six(2))])
        #expect(race.attemptFailed() == [.fail])
    }

    @Test func onlyTheLastFailureIsTheRaces() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        _ = race.delayPassed()
        _ = race.delayPassed()
        #expect(race.attemptFailed() == [])
        #expect(race.attemptFailed() == [])
        #expect(race.attemptFailed() == [.fail])
    }

    @Test func theFirstConnectionWinsAndLaterOnesAreDropped() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        _ = race.delayPassed()
        #expect(race.attemptConnected() == [.stopDelay, .win])
        #expect(race.delayPassed() == [], "nothing is begun any more")
        #expect(race.attemptConnected() == [.drop])
        #expect(race.attemptFailed() == [])
        #expect(race.cancel() == [])
    }

    @Test func aFailureAfterTheWinIsNoFailure() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        _ = race.delayPassed()
        _ = race.attemptConnected()
        #expect(race.attemptFailed() == [])
    }

    @Test func aCancelledRaceDropsWhatStillConnects() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        #expect(race.cancel() == [.stopDelay])
        #expect(race.delayPassed() == [])
        #expect(race.attemptConnected() == [.drop])
        #expect(race.cancel() == [])
    }

    @Test func aSingleAddressHasNoDelay() {
        var race = ConnectionRace([.four(1)])
        #expect(race.start() == [.attempt(.four(1))])
        #expect(race.attemptFailed() == [.fail])
    }

    @Test func aRaceOfNobodyFails() {
        var race = ConnectionRace([])
        #expect(race.start() == [.fail])
    }

    /// Any order of network events: one outcome, every address once and in order, one delay at a time.
    @Test(arguments: [51, 52, 53, 54, 55] as [UInt64]) func aSeededWalkHasOneOutcome(seed: UInt64) {
        var random = SeededRandom(seed)
        for round in 0..<500 {
            let addresses = (0..<Int.random(in: 1...6, using: &random)).map { IPAddress.four(UInt8($0)) }
            var model = RaceModel(addresses: addresses)
            var race = ConnectionRace(addresses)
            var error = model.take(race.start())
            while error == nil, model.underWay > 0 || model.delayIsRunning {
                switch Int.random(in: 0..<8, using: &random) {
                case 0 where model.delayIsRunning:
                    model.delayIsRunning = false
                    error = model.take(race.delayPassed())
                case 1...4 where model.underWay > 0:
                    model.underWay -= 1
                    error = model.take(race.attemptFailed())
                case 5 where model.underWay > 0:
                    model.underWay -= 1
                    model.connections += 1
                    error = model.take(race.attemptConnected())
                case 6 where Int.random(in: 0..<4, using: &random) == 0:
                    model.isCancelled = true
                    error = model.take(race.cancel())
                default: break
                }
            }
            error = error ?? model.outcome()
            #expect(error == nil, "seed \(seed), round \(round)")
            if error != nil { return }
        }
    }
}

/// A dial's view of its race.
private struct RaceModel {
    let addresses: [IPAddress]
    var attempted: [IPAddress] = []
    var underWay = 0
    var delayIsRunning = false
    var connections = 0
    var dropped = 0
    var wins = 0
    var failures = 0
    var isCancelled = false

    /// The violation, if any.
    mutating func take(_ actions: [ConnectionRace.Action]) -> String? {
        for action in actions {
            switch action {
            case .attempt(let address):
                if self.wins + self.failures > 0 || self.isCancelled { return "an attempt after the end" }
                self.attempted.append(address)
                self.underWay += 1
            case .startDelay:
                if self.delayIsRunning { return "two delays at once" }
                self.delayIsRunning = true
            case .stopDelay: self.delayIsRunning = false
            case .win: self.wins += 1
            case .fail: self.failures += 1
            case .drop: self.dropped += 1
            }
        }
        return self.addresses.starts(with: self.attempted) ? nil : "out of order: \(self.attempted)"
    }

    func outcome() -> String? {
        if self.wins + self.dropped != self.connections { return "\(self.connections) connections, \(self)" }
        if self.wins + self.failures > 1 { return "two outcomes: \(self)" }
        if !self.isCancelled, self.wins + self.failures == 0 { return "no outcome: \(self)" }
        if self.failures == 1, self.attempted != self.addresses { return "failed before all were tried: \(self)" }
        return nil
    }
}
