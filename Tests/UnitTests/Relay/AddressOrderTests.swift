import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetRelay

/// RFC 8305, section 4.
@Suite struct AddressOrderTests {
    private func order(_ addresses: [IPAddress], limit: Int = 100) -> [IPAddress] {
        AddressOrder.interleaved(addresses, limit: limit)
    }

    @Test func familiesTakeTurnsFromTheResolversFirst() {
        #expect(
            self.order([.six(1), .six(2), .six(3), .four(1), .four(2)])
                == [.six(1), .four(1), .six(2), .four(2), .six(3)])
        #expect(self.order([.four(1), .six(1), .six(2)]) == [.four(1), .six(1), .six(2)])
        #expect(self.order([.four(1), .four(2), .six(1)]) == [.four(1), .six(1), .four(2)])
    }

    @Test func oneFamilyKeepsItsOrder() {
        #expect(self.order([.four(3), .four(1), .four(2)]) == [.four(3), .four(1), .four(2)])
        #expect(self.order([.six(9)]) == [.six(9)])
        #expect(self.order([]) == [])
    }

    @Test func theLimitCutsTheEndAndLeavesBothFamilies() {
        let many = (1...20).map { IPAddress.six($0) } + (1...20).map { IPAddress.four($0) }
        #expect(self.order(many, limit: 3) == [.six(1), .four(1), .six(2)])
        #expect(self.order(many, limit: 0) == [])
    }

    @Test(arguments: [41, 42, 43] as [UInt64]) func everyAddressComesOnceAndInItsFamilysOrder(seed: UInt64) {
        var random = SeededRandom(seed)
        for _ in 0..<200 {
            let count = Int.random(in: 0...12, using: &random)
            let addresses = (0..<count).map { number in
                Bool.random(using: &random) ? IPAddress.four(UInt8(number)) : .six(UInt64(number))
            }
            let ordered = self.order(addresses)
            #expect(ordered.filter(\.isIPv4) == addresses.filter(\.isIPv4), "seed \(seed)")
            #expect(ordered.filter { !$0.isIPv4 } == addresses.filter { !$0.isIPv4 }, "seed \(seed)")
            #expect(ordered.first == addresses.first, "seed \(seed)")
        }
    }
}
