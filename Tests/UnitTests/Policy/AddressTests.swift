import Glibc
import Testing
import WasmnetPolicy

/// The parser and printer of addresses, and the tables, against the C library and against the plain way.
@Suite struct AddressTests {
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var z = self.state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private func system(_ text: String) -> [UInt8]? {
        var v4 = [UInt8](repeating: 0, count: 4)
        if inet_pton(AF_INET, text, &v4) == 1 { return v4 }
        var v6 = [UInt8](repeating: 0, count: 16)
        return inet_pton(AF_INET6, text, &v6) == 1 ? v6 : nil
    }

    @Test func parsesWhatTheSystemParsesAndNothingElse() {
        let seed = UInt64.random(in: .min ... .max)
        var random = Random(state: seed)
        let alphabet = Array("0123456789abcdefABCDEF:::...%/g ")
        for _ in 0..<100_000 {
            let length = Int.random(in: 1...20, using: &random)
            let text = String((0..<length).map { _ in alphabet.randomElement(using: &random) ?? ":" })
            #expect(IPAddress(text)?.bytes == self.system(text), "\(text), seed \(seed)")
        }
    }

    @Test func printsWhatItParsesBack() {
        let seed = UInt64.random(in: .min ... .max)
        var random = Random(state: seed)
        for _ in 0..<50_000 {
            let sparse = { (r: inout Random) in
                r.next() & r.next() & r.next() & (0xFFFF_0000_FFFF_0000 >> (r.next() % 4 * 16))
            }
            let address = IPAddress(v6: sparse(&random), low: sparse(&random))
            #expect(IPAddress(address.description) == address, "\(address), seed \(seed)")
            #expect(self.system(address.description) == address.bytes, "\(address), seed \(seed)")
        }
        #expect(IPAddress(v6: 0, low: 1).description == "::1")
        #expect(IPAddress("2001:db8:0:0:1:0:0:1")?.description == "2001:db8::1:0:0:1")
        #expect(IPAddress("2001:0:1:2:3:4:5:6")?.description == "2001:0:1:2:3:4:5:6")
    }

    @Test func theTableFindsWhatALinearSearchFinds() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = Random(state: seed)
        var table = PrefixTable<Int>()
        var list: [(Prefix, Int)] = []
        for index in 0..<500 {
            let address = IPAddress(
                v4: (10, UInt8.random(in: 0...3, using: &random), UInt8.random(in: 0...3, using: &random), 0))
            let prefix = try #require(Prefix(address, length: Int.random(in: 8...32, using: &random)))
            if index % 7 == 0, let gone = list.randomElement(using: &random)?.0 {
                table.remove(gone)
                list.removeAll { $0.0 == gone }
            }
            table.insert(index, for: prefix)
            list.append((prefix, index))
            let probe = IPAddress(
                v4: (10, UInt8.random(in: 0...3, using: &random), UInt8.random(in: 0...3, using: &random), 0))
            let longest = list.filter { $0.0.contains(probe) }.max { $0.0.length < $1.0.length }?.0.length
            let found = table.first(for: probe) { _ in true }
            #expect(found.flatMap { value in list.first { $0.1 == value }?.0.length } == longest, "seed \(seed)")
        }
    }
}
