import NIOCore
import RedisClient
import Testing
import WasmnetPolicy
import WasmnetTesting

@testable import WasmnetCluster

/// Records from others can have any content: they are read or refused, and never end the process.
@Suite struct HostileTests {
    private func spoil(_ text: String, _ random: inout SeededRandom) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let some = Array("+- :%./[]*\n0129a\u{FF}".utf8)
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where place < bytes.count: bytes.remove(at: place)
            case 1 where place < bytes.count: bytes[place] = .random(in: 0...255, using: &random)
            case 2: bytes.insert(contentsOf: Array("99999999999999999999".utf8), at: place)
            default: bytes.insert(some.randomElement(using: &random) ?? 0, at: place)
            }
        }
        return bytes
    }

    @Test func messagesRecordsAndFields() throws {
        var random = seeded(6)
        var read = 0
        for _ in 0..<20_000 {
            let subject = Draw.subject(&random)
            let payload = self.spoil("1790000000000000 41 43 77 b41-a n43-b\n+ 0 \(subject) why\n- \(subject)", &random)
            if let message = DenylistMessage(ByteBuffer(bytes: payload)) {
                read += 1
                #expect(message.records.map { Int64($0.count) == message.to - message.from } ?? true)
                _ = Denylist.empty.applying(message.records ?? [], version: message.to)
            }
            let field = String(decoding: self.spoil(subject, &random), as: UTF8.self)
            let value = String(decoding: self.spoil("7 1790000000000 why", &random), as: UTF8.self)
            if let entry = DenylistWire.entry(field, value) {
                let list = Denylist([entry])
                #expect(list.texts.count == 1)
                #expect(list.applying([.drop(entry.text)], version: 1).digest == DenylistDigest())
            }
        }
        #expect(read > 100)
    }

    @Test func answersOfTheScript() throws {
        let id = RESPValue.bulkString(ByteBuffer(string: "1-a"))
        for numbers in [[], [1], [5, 0, 0, 0, 0, 0, 0], [2, 1, .max, 1, 1, 1, 0], [2, 1, 1, .min, 1, 1, 0]] as [[Int64]]
        {
            #expect(throws: RedisError.self) { try DenylistPoll(.array(numbers.map { .integer($0) } + [id])) }
        }
        #expect(throws: RedisError.self) { try DenylistPoll(.null) }
        let numbers = [2, 1, 1, 1, 1, 1, 7].map { RESPValue.integer($0) }
        #expect(throws: RedisError.self) { try DenylistPoll(.array(numbers)) }
        let poll = try DenylistPoll(.array(numbers + [id, .null, .integer(3)]))
        #expect(poll.records == [nil, nil])
        #expect(poll.isBuilding && poll.replaces && poll.hasOwnID && poll.id == "1-a")
    }

    @Test func listFiles() throws {
        var random = seeded(7)
        for _ in 0..<20_000 {
            let line = "\(Draw.subject(&random)) until=2026-11-25T08:30:00.125Z reason=why"
            guard let entries = try? DenylistFile.read(self.spoil(line, &random), name: "list") else { continue }
            #expect(try DenylistFile.read(Array(DenylistFile.write(entries).utf8), name: "again") == entries)
        }
    }
}
