import Testing
import WasmnetQuota

@testable import WasmnetCluster

@Suite struct PeersTests {
    private let start = QuotaInstant(microseconds: 1_770_000_000_000_000)

    /// A registry that is new or outdated knows the nodes that registered since; one that is cut off cannot, and may hold slots.
    @Test func whoIsNotInTheRegistryAnyMoreIsWaitedForForAWhile() {
        var peers = Peers()
        peers.read(["a", "b"], now: self.start)
        for second in [1, 3, 16, 20] as [Int64] {
            peers.read(["a"], now: self.start + .seconds(second))
            #expect(peers.ids == ["a", "b"])
        }
        peers.read(["a"], now: self.start + .seconds(21))
        #expect(peers.ids == ["a"])
    }

    /// Found by the simulation: a node that was cut off for long came back, met a loss, and waited for no other.
    @Test func whoCouldNotReadTheRegistryForLongForgetsNobody() {
        var peers = Peers()
        peers.read(["a", "b"], now: self.start)
        peers.read(["a"], now: self.start + .seconds(60))
        #expect(peers.ids == ["a", "b"])
    }

    @Test func whoSaidThatItGoesIsNotWaitedFor() {
        var peers = Peers()
        peers.read(["a", "b"], now: self.start)
        peers.left("b")
        #expect(peers.ids == ["a"])
    }
}
