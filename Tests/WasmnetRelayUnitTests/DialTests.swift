import Testing
import WasmnetPolicy
import WasmnetRelay

/// RFC 8305 as values.
@Suite struct DialTests {
    private let addresses = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].compactMap { IPAddress($0) }

    @Test func theFamiliesTakeTurnsBeginningWithTheFirst() {
        let given = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1", "192.0.2.2"].compactMap { IPAddress($0) }
        let order = AddressOrder.interleaved(given, limit: 8).map(\.description)
        #expect(order == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3"])
        #expect(AddressOrder.interleaved(given, limit: 2).map(\.description) == ["2001:db8::1", "192.0.2.1"])
        #expect(AddressOrder.interleaved([], limit: 8).isEmpty)
    }

    @Test func theDelayStartsTheNextAttemptBesideTheFirst() {
        var race = ConnectionRace(self.addresses)
        #expect(race.start() == [.attempt(self.addresses[0]), .startDelay])
        #expect(race.delayPassed() == [.attempt(self.addresses[1]), .startDelay])
        #expect(race.delayPassed() == [.attempt(self.addresses[2])])
        #expect(race.delayPassed() == [])
    }

    @Test func aFailureAdvancesAtOnce() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        #expect(race.attemptFailed() == [.stopDelay, .attempt(self.addresses[1]), .startDelay])
        #expect(race.attemptFailed() == [.stopDelay, .attempt(self.addresses[2])])
        #expect(race.attemptFailed() == [.fail])
    }

    @Test func theLastFailureWaitsForWhoIsStillTrying() {
        var race = ConnectionRace(Array(self.addresses.prefix(2)))
        _ = race.start()
        _ = race.delayPassed()
        #expect(race.attemptFailed() == [])
        #expect(race.attemptFailed() == [.fail])
    }

    @Test func oneWinsAndTheOthersAreDropped() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        _ = race.delayPassed()
        #expect(race.attemptConnected() == [.stopDelay, .win])
        #expect(race.attemptConnected() == [.drop])
        #expect(race.attemptFailed() == [])
        #expect(race.delayPassed() == [])
        #expect(race.cancel() == [])
    }

    @Test func aCancelledRaceDropsWhatStillComes() {
        var race = ConnectionRace(self.addresses)
        _ = race.start()
        #expect(race.cancel() == [.stopDelay])
        #expect(race.attemptConnected() == [.drop])
        #expect(race.cancel() == [])
    }
}
