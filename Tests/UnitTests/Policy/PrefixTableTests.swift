import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

@Suite struct PrefixTableTests {
    @Test func theTableFindsWhatALinearSearchFinds() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededRandom(seed)
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
