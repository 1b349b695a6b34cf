import Testing
import WasmnetQuota

@testable import WasmnetCluster

@Suite struct PeersTests {
    private let start = QuotaInstant(microseconds: 1_770_000_000_000_000)

    @Test func whoIsNotInTheRegistryAnyMoreIsForgotten() {
        var peers = Peers()
        peers.read(["a", "b"], isWhole: true, now: self.start)
        peers.read(["a"], isWhole: true, now: self.start + .seconds(5))
        #expect(peers.ids == ["a"])
    }

    /// The registry knows whoever told of itself since; one that is cut off cannot, and may hold slots.
    @Test(arguments: [false, true]) func afterALossNobodyIsForgottenAtOnce(isNoticed: Bool) {
        var peers = Peers()
        peers.read(["a", "b"], isWhole: true, now: self.start)
        if isNoticed {
            peers.dataWasLost(now: self.start + .seconds(1))
        } else {
            peers.read([], isWhole: false, now: self.start + .seconds(1))
        }
        peers.read(["a"], isWhole: true, now: self.start + .seconds(3))
        peers.read(["a"], isWhole: true, now: self.start + .seconds(16))
        #expect(peers.ids == ["a", "b"])
        peers.read(["a"], isWhole: true, now: self.start + .seconds(22))
        #expect(peers.ids == ["a"])
    }
}
