import NIOCore
import RedisClient
import Testing
import WasmnetPolicy

@testable import WasmnetCluster

@Suite struct LineageTests {
    private func poll(
        generation: Int64 = 5, version: Int64 = 20, id: String, flags: Int64 = 4
    ) throws -> DenylistPoll {
        let numbers = [4, 1, generation, version, 0, 0, flags].map { RESPValue.integer($0) }
        return try DenylistPoll(.array(numbers + [.bulkString(ByteBuffer(string: id))]))
    }

    private func list(generation: Int64 = 5) throws -> Denylist {
        Denylist(try someEntries(2), generation: generation, version: 25)
    }

    @Test func whatIsDue() throws {
        var lineage = DenylistLineage()
        lineage.remember(["20-a"])
        lineage.pass("25-b")
        let list = try self.list()
        #expect(DenylistMend(of: list, lineage, over: nil) == .writtenBack)
        #expect(try DenylistMend(of: list, lineage, over: self.poll(id: "20-a")) == .writtenBack)
        // The same number, a higher one, and one without an id.
        for (version, id) in [(25, "25-x"), (30, "30-x"), (20, "")] as [(Int64, String)] {
            #expect(try DenylistMend(of: list, lineage, over: self.poll(version: version, id: id)) == .joined)
        }
        // A replacement counts if it began after the list in force, once it is complete; an earlier one is from a snapshot.
        #expect(try DenylistMend(of: list, lineage, over: self.poll(generation: 6, id: "1-x", flags: 6)) == .replaced)
        #expect(try DenylistMend(of: list, lineage, over: self.poll(generation: 6, id: "1-x", flags: 7)) == nil)
        #expect(try DenylistMend(of: list, lineage, over: self.poll(generation: 6, id: "1-x", flags: 5)) == .joined)
        for generation: Int64 in [4, 5] {
            let poll = try self.poll(generation: generation, id: "1-x", flags: 6)
            #expect(DenylistMend(of: list, lineage, over: poll) == .joined)
        }
        #expect(try DenylistMend(of: list, lineage, over: self.poll(id: "20-a", flags: 7)) == .writtenBack)
    }

    @Test func theOldestAreForgotten() {
        var lineage = DenylistLineage(most: 10)
        #expect(!lineage.knows(""))
        for version in 1...100 { lineage.pass("\(version)-a") }
        lineage.pass("")
        lineage.pass("100-a")
        #expect(lineage.id == "100-a")
        #expect((91...100).allSatisfy { lineage.knows("\($0)-a") })
        #expect(!lineage.knows("50-a"))
        #expect(lineage.latest.suffix(2) == ["99-a", "100-a"])
        #expect(DenylistLineage.id("-").isEmpty && DenylistLineage.id(String(repeating: "a", count: 65)).isEmpty)
    }
}
