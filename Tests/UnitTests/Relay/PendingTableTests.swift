import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetRelay

/// By reference, so that a test's macros can call mutating functions.
private final class Table {
    private var table: PendingTable

    init(_ most: Int) { self.table = PendingTable(most: most) }

    var count: Int { self.table.count }
    var headBytes: Int { self.table.headBytes }
    func enter(_ address: IPAddress?) -> (id: PendingTable.ID, leaving: PendingTable.ID?)? { self.table.enter(address) }
    func name(_ id: PendingTable.ID, _ address: IPAddress) -> PendingTable.ID? { self.table.name(id, address) }
    func leave(_ id: PendingTable.ID) { self.table.leave(id) }
    @discardableResult
    func set(_ id: PendingTable.ID, _ stage: PendingTable.Stage, headBytes: Int) -> [PendingTable.ID] {
        self.table.set(id, stage, headBytes: headBytes)
    }
}

/// Which connection is closed first before the upgrade.
@Suite struct PendingTableTests {
    private func address(_ number: Int) -> IPAddress { IPAddress(v4: (10, 0, UInt8(number >> 8), UInt8(number & 255))) }

    @Test func oneAddressHas64AndItsOldestIdleGoes() throws {
        let table = Table(1000)
        var ids: [PendingTable.ID] = []
        for _ in 0..<64 {
            let (id, leaving) = try #require(table.enter(self.address(1)))
            #expect(leaving == nil)
            ids.append(id)
        }
        table.set(ids[0], .unfinished, headBytes: 10)
        table.set(ids[2], .whole, headBytes: 10)
        #expect(try #require(table.enter(self.address(1))).leaving == ids[1])
        #expect(try #require(table.enter(self.address(2))).leaving == nil)
        #expect(try #require(table.enter(self.address(1))).leaving == ids[3])
        #expect(table.count == 65)
    }

    @Test func whatIsDecidedDoesNotGiveWay() throws {
        let table = Table(2)
        let first = try #require(table.enter(self.address(1))).id
        let second = try #require(table.enter(self.address(2))).id
        table.set(first, .whole, headBytes: 100)
        table.set(second, .whole, headBytes: 100)
        #expect(table.enter(self.address(3)) == nil)
        table.set(first, .answered, headBytes: 0)
        #expect(try #require(table.enter(self.address(3))).leaving == first)
        table.leave(second)
        #expect(table.headBytes == 0)
    }

    @Test func aNetworkOfIPv6IsOneAddress() throws {
        let table = Table(1000)
        var first: PendingTable.ID?
        for low in 0..<64 {
            let id = try #require(table.enter(IPAddress(v6: 0x2001_0db8_0000_0001, low: UInt64(low)))).id
            first = first ?? id
        }
        #expect(try #require(table.enter(IPAddress(v6: 0x2001_0db8_0000_0002, low: 1))).leaving == nil)
        #expect(try #require(table.enter(IPAddress(v6: 0x2001_0db8_0000_0001, low: 99))).leaving == first)
    }

    @Test func fullMeansTheFullestAddressGives() throws {
        let table = Table(10)
        var many: [PendingTable.ID] = []
        for _ in 0..<6 { many.append(try #require(table.enter(self.address(1))).id) }
        for number in 2..<6 { _ = try #require(table.enter(self.address(number))) }
        #expect(try #require(table.enter(self.address(9))).leaving == many[0])
        table.set(many[1], .unfinished, headBytes: 1)
        #expect(try #require(table.enter(self.address(10))).leaving == many[2])
        #expect(table.count == 10)
    }

    /// A trusted proxy's connections count in the total only, until their clients are known.
    @Test func anUnnamedConnectionStandsForItself() throws {
        let table = Table(200)
        var ids: [PendingTable.ID] = []
        for _ in 0..<100 {
            let (id, leaving) = try #require(table.enter(nil))
            #expect(leaving == nil)
            ids.append(id)
        }
        for id in ids[..<64] { #expect(table.name(id, self.address(1)) == nil) }
        #expect(table.name(ids[64], self.address(1)) == ids[0])
        #expect(table.name(ids[65], self.address(2)) == nil)
        for id in ids[1...64] { table.set(id, .whole, headBytes: 1) }
        #expect(table.name(ids[66], self.address(1)) == ids[66], "its client has no place")
    }

    @Test func theLargestUnfinishedHeadsGoFirst() throws {
        let table = Table(10_000)
        var ids: [PendingTable.ID] = []
        let size = 12 << 10
        let fitting = PendingTable.maxHeadBytes / size
        for number in 0..<fitting {
            let id = try #require(table.enter(self.address(number))).id
            #expect(table.set(id, number == 3 ? .whole : .unfinished, headBytes: size) == [])
            ids.append(id)
        }
        #expect(table.set(ids[7], .unfinished, headBytes: 16 << 10) == [])
        #expect(table.set(ids[3], .whole, headBytes: 16 << 10) == [])
        let newcomer = try #require(table.enter(self.address(5000))).id
        #expect(table.set(newcomer, .unfinished, headBytes: 8 << 10) == [ids[7]])
        #expect(table.headBytes <= PendingTable.maxHeadBytes)
    }

    /// Random steps beside a plain model: counts, bounds, and nothing is left over.
    @Test(arguments: [51, 52, 53] as [UInt64]) func theTableIsWhatAPlainOneIs(seed: UInt64) {
        var random = SeededRandom(seed)
        let table = Table(150)
        var plain: [PendingTable.ID: (owner: IPAddress?, bytes: Int)] = [:]
        for _ in 0..<20_000 {
            let id = plain.keys.sorted().randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let owner = Bool.random(using: &random) ? self.address(Int.random(in: 0..<4, using: &random)) : nil
                guard let (id, leaving) = table.enter(owner) else { continue }
                if let leaving { plain[leaving] = nil }
                plain[id] = (owner, 0)
            case 5:
                guard plain[id] != nil else { continue }
                let owner = self.address(Int.random(in: 0..<4, using: &random))
                let leaving = table.name(id, owner)
                plain[id]?.owner = owner
                if let leaving { plain[leaving] = nil }
            case 6, 7:
                let stages = [PendingTable.Stage.idle, .answered, .unfinished, .whole]
                guard plain[id] != nil, let stage = stages.randomElement(using: &random) else { continue }
                let bytes = stage == .unfinished ? Int.random(in: 0...16_384, using: &random) : 0
                #expect(table.set(id, stage, headBytes: bytes) == [])
                plain[id]?.bytes = bytes
            default:
                table.leave(id)
                plain[id] = nil
            }
            #expect(table.count == plain.count && table.count <= 150, "seed \(seed)")
            #expect(table.headBytes == plain.values.reduce(0) { $0 + $1.bytes }, "seed \(seed)")
            for owner in Set(plain.values.compactMap(\.owner)) {
                #expect(plain.values.count { $0.owner == owner } <= 64, "seed \(seed)")
            }
        }
        for id in plain.keys { table.leave(id) }
        #expect(table.count == 0 && table.headBytes == 0)
    }
}
