import NIOCore
import RedisClient
import Testing
import WasmnetTesting

@Suite struct ReplyParserTests {
    /// Runs a fresh parser over pieces.
    static func run(_ pieces: [ArraySlice<UInt8>], limits: RESPLimits = RESPLimits()) throws -> PlainRESP.Outcome {
        let parser = try #require(ReplyParser(limits: limits))
        var outcome = PlainRESP.Outcome()
        do throws(RESPViolation) {
            for piece in pieces {
                try parser.feed(ByteBuffer(bytes: piece)) { outcome.replies.append($0) }
            }
        } catch {
            outcome.isBroken = true
        }
        return outcome
    }

    static func violation(_ text: String, limits: RESPLimits = RESPLimits()) throws -> RESPViolation? {
        let parser = try #require(ReplyParser(limits: limits))
        do throws(RESPViolation) {
            try parser.feed(ByteBuffer(string: text)) { _ in }
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("+OK\r\n", RESPValue.simpleString("OK")),
        ("+\r\n", .simpleString("")),
        ("-ERR no\r\n", .error(RedisServerError(line: "ERR no"))),
        (":0\r\n", .integer(0)),
        (":-9223372036854775808\r\n", .integer(.min)),
        (":9223372036854775807\r\n", .integer(.max)),
        ("$0\r\n\r\n", .bulkString(ByteBuffer())),
        ("$4\r\na\r\nb\r\n", .bulkString(ByteBuffer(string: "a\r\nb"))),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("*0\r\n", .array([])),
        (
            "*2\r\n:1\r\n*2\r\n$1\r\nx\r\n-ERR\r\n",
            .array([
                .integer(1), .array([.bulkString(ByteBuffer(string: "x")), .error(RedisServerError(line: "ERR"))]),
            ])
        ),
        (
            "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
            .array([
                .array([.array([.array([.array([.array([.array([.integer(1)])])])])])])
            ])
        ),
    ])
    func everyTypeCutAtEveryByte(text: String, expected: RESPValue) throws {
        // A second reply after it shows that the first ended at the right place.
        let bytes = Array((text + ":5\r\n").utf8)
        let whole = PlainRESP.Outcome(replies: [expected, .integer(5)])
        for cut in 0...bytes.count {
            #expect(try Self.run([bytes[..<cut], bytes[cut...]]) == whole, "cut at \(cut)")
        }
        #expect(try Self.run(bytes.indices.map { bytes[$0...$0] }) == whole)
        for end in 0..<text.utf8.count {
            #expect(try Self.run([bytes[..<end]]) == PlainRESP.Outcome(), "cut off at \(end)")
        }
    }

    @Test(arguments: [
        ("*2147483647\r\n", RESPViolation.tooManyElements(2_147_483_647)),
        ("*9223372036854775807\r\n", .tooManyElements(.max)),
        ("*9223372036854775808\r\n", .badNumber),
        ("*-2\r\n", .badLength),
        ("$-2\r\n", .badLength),
        ("$16777217\r\n", .bulkTooLong(16_777_217)),
        ("$1\r\nab\r\n", .badLineEnding),
        ("$1\r\na\rb", .badLineEnding),
        ("$\r\n\r\n", .badNumber),
        ("$-\r\n", .badNumber),
        ("$01\r\na\r\n", .badNumber),
        (":-0\r\n", .badNumber),
        (":1 \r\n", .badNumber),
        (":+1\r\n", .badNumber),
        (":1\n", .badNumber),
        ("+a\nb\r\n", .badLineEnding),
        ("+a\rb\r\n", .badLineEnding),
        ("HTTP/1.1 400 Bad Request\r\n", .unknownType(72)),
        ("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", .tooDeep),
        ("*200000\r\n*200000\r\n", .tooManyElements(200_000)),
    ])
    func hostileBytesAreAViolation(text: String, expected: RESPViolation) throws {
        #expect(try Self.violation(text) == expected)
        // The replies before it are delivered, however the bytes are split.
        let bytes = Array(("+a\r\n" + text).utf8)
        for cut in 0...bytes.count {
            let outcome = try Self.run([bytes[..<cut], bytes[cut...]])
            #expect(outcome == PlainRESP.Outcome(replies: [.simpleString("a")], isBroken: true), "cut at \(cut)")
        }
    }

    @Test func linesAndRepliesAreLimited() throws {
        let limits = RESPLimits(lineLength: 4, replyLength: 12)
        #expect(try Self.violation("+abcd\r\n", limits: limits) == nil)
        #expect(try Self.violation("+abcde", limits: limits) == .lineTooLong)
        #expect(try Self.violation("$6\r\nabcdef\r\n", limits: limits) == nil)
        #expect(try Self.violation("$7\r\nabcdefg\r\n", limits: limits) == .replyTooLong)
        #expect(try Self.violation("*2\r\n:1\r\n:1\r\n$6\r\nabcdef\r\n", limits: limits) == nil)
    }

    @Test func aViolationIsFinal() throws {
        let parser = try #require(ReplyParser())
        for bytes in ["?", "+OK\r\n"] {
            #expect(throws: RESPViolation.unknownType(63)) {
                try parser.feed(ByteBuffer(string: bytes)) { _ in Issue.record("a reply after a violation") }
            }
        }
    }

    @Test func aLongBulkStringIsRead() throws {
        let content = [UInt8](repeating: 7, count: 1 << 20)
        let bytes = Array("$\(content.count)\r\n".utf8) + content + Array("\r\n:1\r\n".utf8)
        #expect(try Self.run([bytes[...]]).replies == [.bulkString(ByteBuffer(bytes: content)), .integer(1)])
    }

    @Test(arguments: 0..<8)
    func agreesWithThePlainParser(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let limits = RESPLimits(bulkLength: 20, elements: 12, depth: 4, lineLength: 20, replyLength: 120)
        for round in 0..<150 {
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                RESPSample.append(to: &bytes, depth: 0, using: &random)
            }
            if Bool.random(using: &random) { RESPSample.damage(&bytes, using: &random) }
            let expected = PlainRESP.parse(bytes, limits: limits)
            for cut in 0...bytes.count {
                let outcome = try Self.run([bytes[..<cut], bytes[cut...]], limits: limits)
                guard outcome == expected else {
                    Issue.record("seed \(seed) round \(round) cut \(cut): \(bytes) gave \(outcome), not \(expected)")
                    return
                }
            }
        }
    }
}

/// Random replies, mostly valid.
enum RESPSample {
    static func append(to bytes: inout [UInt8], depth: Int, using random: inout SeededRandom) {
        switch Int.random(in: 0..<(depth < 5 ? 8 : 6), using: &random) {
        case 0: bytes += Array("+\(word(&random))\r\n".utf8)
        case 1: bytes += Array("-ERR \(word(&random))\r\n".utf8)
        case 2:
            bytes += Array(":\(Int64(bitPattern: random.next()) >> Int.random(in: 0..<64, using: &random))\r\n".utf8)
        case 3: bytes += Array((Bool.random(using: &random) ? "$-1\r\n" : "*-1\r\n").utf8)
        case 4, 5:
            let count = Int.random(in: 0...22, using: &random)
            bytes += Array("$\(count)\r\n".utf8)
            for _ in 0..<count { bytes.append(UInt8.random(in: 0...255, using: &random)) }
            bytes += [13, 10]
        default:
            let count = Int.random(in: 0...4, using: &random)
            bytes += Array("*\(count)\r\n".utf8)
            for _ in 0..<count { append(to: &bytes, depth: depth + 1, using: &random) }
        }
    }

    static func damage(_ bytes: inout [UInt8], using random: inout SeededRandom) {
        guard !bytes.isEmpty else { return }
        let index = Int.random(in: bytes.indices, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: bytes.remove(at: index)
        case 1: bytes.insert(bytes[index], at: index)
        case 2: bytes[index] = Array("+-:$*0129\r\n".utf8).randomElement(using: &random) ?? 0
        default: bytes.removeSubrange(index...)
        }
    }

    private static func word(_ random: inout SeededRandom) -> String {
        String((0..<Int.random(in: 0...22, using: &random)).map { _ in "abc xyz".randomElement(using: &random) ?? "a" })
    }
}
