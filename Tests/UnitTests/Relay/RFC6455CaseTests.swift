import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetTesting

@testable import WasmnetRelay

/// The cases of the Autobahn test suite's sections 1 to 7 and 10, sent as bytes: the node's WebSocket with an echo instead of a session.
@Suite struct RFC6455CaseTests {
    /// The answers, in order; a close frame is the last.
    enum Answer: Equatable {
        case text([UInt8])
        case binary([UInt8])
        case pong([UInt8])
        case close(UInt16?)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var frames: [ClientFrame]
        var answers: [Answer]
        var testDescription: String { self.name }

        init(_ name: String, _ frames: [ClientFrame], _ answers: [Answer]) {
            (self.name, self.frames, self.answers) = (name, frames, answers)
        }
    }

    /// - Parameter piece: bytes of each read.
    private func answers(to frames: [ClientFrame], piece: Int) throws -> [Answer] {
        let channel = EmbeddedChannel()
        let loop = channel.embeddedEventLoop
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        var settings = RelaySettings()
        settings.maxMessageBytes = 32 << 20
        try WebSocketHandler.install(on: channel, settings: settings, clock: ManualClock()) { carrier, _ in
            EchoSession(carrier)
        }
        let bytes = ByteBuffer(bytes: frames.flatMap(\.bytes))
        var rest = bytes
        while let part = rest.readSlice(length: min(piece, rest.readableBytes)), part.readableBytes > 0 {
            guard channel.isActive else { break }
            // Each read has its own memory, which the handler unmasks in place.
            try channel.writeInbound(ByteBuffer(bytes: part.readableBytesView))
            loop.run()
        }
        // Messages that do not fit into one turn are handled in the next ones.
        for _ in 0..<20 { loop.advanceTime(by: .milliseconds(1)) }
        let peer = EmbeddedChannel(handler: ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 25)))
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) { try peer.writeInbound(bytes) }
        var answers: [Answer] = []
        while let frame = try peer.readInbound(as: WebSocketFrame.self) {
            var data = frame.data
            #expect(frame.fin && frame.maskKey == nil)
            switch frame.opcode {
            case .text: answers.append(.text(Array(data.readableBytesView)))
            case .binary: answers.append(.binary(Array(data.readableBytesView)))
            case .pong: answers.append(.pong(Array(data.readableBytesView)))
            case .connectionClose: answers.append(.close(data.readInteger()))
            default: Issue.record("\(frame)")
            }
        }
        _ = try? channel.finish(acceptAlreadyClosed: true)
        _ = try? peer.finish(acceptAlreadyClosed: true)
        return answers
    }

    private func run(_ test: Case, _ pieces: [Int] = [.max]) throws {
        for piece in pieces {
            let answers = try self.answers(to: test.frames, piece: piece)
            #expect(answers == test.answers, "\(test.name), \(piece) bytes a read")
        }
    }

    // MARK: Frames

    private static func text(_ text: String, isFinal: Bool = true) -> ClientFrame {
        ClientFrame(opcode: 1, isFinal: isFinal, payload: Array(text.utf8))
    }
    private static func more(_ text: String, isFinal: Bool = true) -> ClientFrame {
        ClientFrame(opcode: 0, isFinal: isFinal, payload: Array(text.utf8))
    }
    private static func ping(_ payload: [UInt8] = []) -> ClientFrame { ClientFrame(opcode: 9, payload: payload) }
    private static func pong(_ payload: [UInt8] = []) -> ClientFrame { ClientFrame(opcode: 10, payload: payload) }
    private static func close(_ code: UInt16? = 1000, _ reason: [UInt8] = []) -> ClientFrame {
        ClientFrame(opcode: 8, payload: code.map { [UInt8($0 >> 8), UInt8($0 & 255)] + reason } ?? [])
    }
    private static func echo(_ text: String) -> Answer { .text(Array(text.utf8)) }

    // MARK: Sections

    @Test(arguments: [0, 125, 126, 127, 128, 65_535, 65_536]) func section1Lengths(length: Int) throws {
        let payload = [UInt8](repeating: UInt8(ascii: "*"), count: length)
        let text = [ClientFrame(opcode: 1, payload: payload), Self.close()]
        try self.run(Case("1.1", text, [.text(payload), .close(1000)]), [.max, 997])
        let bytes = [UInt8](repeating: 0xFE, count: length)
        let binary = [ClientFrame(opcode: 2, payload: bytes), Self.close()]
        try self.run(Case("1.2", binary, [.binary(bytes), .close(1000)]), [.max, 997])
    }

    private static let bytes125 = [UInt8](repeating: 0xFE, count: 125)
    static let section2: [Case] = [
        Case("2.1", [ping(), close()], [.pong([]), .close(1000)]),
        Case("2.2", [ping(Array("Hello, world!".utf8)), close()], [.pong(Array("Hello, world!".utf8)), .close(1000)]),
        Case("2.3", [ping([0, 0xFF, 0xFE, 0xFD]), close()], [.pong([0, 0xFF, 0xFE, 0xFD]), .close(1000)]),
        Case("2.4", [ping(bytes125), close()], [.pong(bytes125), .close(1000)]),
        Case("2.5", [ping(bytes125 + [0xFE]), close()], [.close(1002)]),
        Case("2.7", [pong(), close()], [.close(1000)]),
        Case("2.8", [pong(Array("unsolicited".utf8)), close()], [.close(1000)]),
        Case("2.9", [pong(Array("unsolicited".utf8)), ping([1]), close()], [.pong([1]), .close(1000)]),
        Case(
            "2.10", (0..<10).map { ping([$0]) } + [close()], (0..<10).map { Answer.pong([$0]) } + [.close(1000)]),
    ]

    @Test(arguments: section2) func section2Pings(test: Case) throws { try self.run(test, [.max, 1]) }

    @Test(arguments: [1, 2, 3, 4, 5, 6, 7] as [UInt8]) func section3ReservedBits(bits: UInt8) throws {
        for opcode in [1, 2, 8, 9, 10] as [UInt8] {
            let broken = ClientFrame(opcode: opcode, reserved: bits, payload: opcode == 8 ? [3, 232] : [])
            try self.run(Case("3, opcode \(opcode)", [broken], [.close(1002)]), [.max, 1])
            let later = [Self.text("Hello"), broken, Self.ping()]
            try self.run(Case("3, later", later, [Self.echo("Hello"), .close(1002)]), [.max, 1])
        }
    }

    @Test(arguments: [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8]) func section4Opcodes(opcode: UInt8) throws {
        for payload in [[], Array("reserved".utf8)] {
            let broken = ClientFrame(opcode: opcode, payload: payload)
            try self.run(Case("4", [broken, Self.ping()], [.close(1002)]), [.max, 1])
            let later = [Self.text("Hello"), broken, Self.ping()]
            try self.run(Case("4, later", later, [Self.echo("Hello"), .close(1002)]), [.max, 1])
        }
    }

    static let section5: [Case] = [
        Case("5.1", [ClientFrame(opcode: 9, isFinal: false), more("fragment")], [.close(1002)]),
        Case("5.2", [ClientFrame(opcode: 10, isFinal: false), more("fragment")], [.close(1002)]),
        Case(
            "5.3", [text("fragment1", isFinal: false), more("fragment2"), close()],
            [echo("fragment1fragment2"), .close(1000)]),
        Case(
            "5.6", [text("fragment1", isFinal: false), ping([7]), more("fragment2"), close()],
            [.pong([7]), echo("fragment1fragment2"), .close(1000)]),
        Case("5.9", [more("none"), text("Hello")], [.close(1002)]),
        Case("5.12", [more("none", isFinal: false), text("Hello")], [.close(1002)]),
        Case(
            "5.15", [text("one", isFinal: false), more("two"), more("none", isFinal: false), text("Hello")],
            [echo("onetwo"), .close(1002)]),
        Case("5.16", [more("a", isFinal: false), text("b"), more("c", isFinal: false)], [.close(1002)]),
        Case("5.17", [more("a"), text("b"), more("c")], [.close(1002)]),
        Case("5.18", [text("one", isFinal: false), text("two")], [.close(1002)]),
        Case(
            "5.19",
            [
                text("1", isFinal: false), more("2", isFinal: false), ping([1]), more("3", isFinal: false),
                more("4", isFinal: false), ping([2]), more("5"), close(),
            ], [.pong([1]), .pong([2]), echo("12345"), .close(1000)]),
    ]

    @Test(arguments: section5) func section5Fragments(test: Case) throws { try self.run(test, [.max, 5, 1]) }

    /// Sections 6.1 and 6.2: empty text, and a text split between any two of its bytes.
    @Test func section6Text() throws {
        try self.run(Case("6.1.1", [Self.text(""), Self.close()], [Self.echo(""), .close(1000)]))
        try self.run(
            Case(
                "6.1.2", [Self.text("", isFinal: false), Self.more("", isFinal: false), Self.more(""), Self.close()],
                [Self.echo(""), .close(1000)]))
        let text = Array("Hello-µ@ßöäüàá-UTF-8!! κόσμε \u{10000}\u{10FFFF}".utf8)
        for cut in 0...text.count {
            let frames = [
                ClientFrame(opcode: 1, isFinal: false, payload: Array(text[..<cut])),
                ClientFrame(opcode: 0, payload: Array(text[cut...])), Self.close(),
            ]
            try self.run(Case("6.2, \(cut)", frames, [.text(text), .close(1000)]))
        }
        let single = text.enumerated().map { index, byte in
            ClientFrame(opcode: index == 0 ? 1 : 0, isFinal: index == text.count - 1, payload: [byte])
        }
        try self.run(Case("6.2.4", single + [Self.close()], [.text(text), .close(1000)]))
    }

    /// Sections 6.3 and 6.6 to 6.23, after Markus Kuhn's table.
    static let broken: [[UInt8]] = [
        [0xCE, 0xBA, 0xE1, 0xBD, 0xB9, 0xCF, 0x83, 0xCE, 0xBC, 0xCE, 0xB5, 0xED, 0xA0, 0x80, 0x65], [0xCE], [0xE1],
        [0xE1, 0xBD], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], [0xF7, 0xBF, 0xBF, 0xBF],
        [0xFB, 0xBF, 0xBF, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0x80], [0xBF], [0x80, 0xBF],
        Array(0x80...0xBF), [0xC0, 0x20, 0xC1, 0x20], [0xE0, 0x20], [0xF0, 0x20, 0xF1, 0x20], [0xC0], [0xE0, 0x80],
        [0xF0, 0x80, 0x80], [0xF8, 0x80, 0x80, 0x80], [0xDF], [0xEF, 0xBF], [0xF7, 0xBF, 0xBF], [0xFE], [0xFF],
        [0xC0, 0xAF], [0xE0, 0x80, 0xAF], [0xF0, 0x80, 0x80, 0xAF], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF],
        [0xF0, 0x8F, 0xBF, 0xBF], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xF0, 0x80, 0x80, 0x80], [0xED, 0xA0, 0x80],
        [0xED, 0xAD, 0xBF], [0xED, 0xAE, 0x80], [0xED, 0xAF, 0xBF], [0xED, 0xB0, 0x80], [0xED, 0xBF, 0xBF],
        [0xED, 0xA0, 0x80, 0xED, 0xB0, 0x80],
    ]

    @Test(arguments: broken) func section6TextThatIsNone(bytes: [UInt8]) throws {
        let lead = Array("Hello ".utf8)
        try self.run(Case("6.3", [ClientFrame(opcode: 1, payload: lead + bytes)], [.close(1007)]), [.max, 1])
        let fragments = [
            ClientFrame(opcode: 1, isFinal: false, payload: lead + bytes),
            ClientFrame(opcode: 0, payload: Array("Hello".utf8)),
        ]
        try self.run(Case("6.4, in fragments", fragments, [.close(1007)]))
        let binary = [ClientFrame(opcode: 2, payload: bytes), Self.close()]
        try self.run(Case("6, as bytes", binary, [.binary(bytes), .close(1000)]))
    }

    /// Section 6.4: invalid text is refused before its last fragment.
    @Test func section6FailsEarly() throws {
        let frames = [ClientFrame(opcode: 1, isFinal: false, payload: [0x61, 0xF4, 0x90]), Self.ping([1])]
        try self.run(Case("6.4.1", frames, [.close(1007)]))
    }

    @Test(arguments: [64, 65, 66] as [UInt64]) func utf8IsWhatTheStandardLibrarySays(seed: UInt64) {
        var random = SeededRandom(seed)
        let alphabet: [UInt8] = [
            0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE,
            0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for _ in 0..<30_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).compactMap { _ in
                alphabet.randomElement(using: &random)
            }
            let cut = Int.random(in: 0...bytes.count, using: &random)
            var check = UTF8Check()
            let isValid =
                bytes[..<cut].withUnsafeBytes { check.take($0) } && bytes[cut...].withUnsafeBytes { check.take($0) }
                && check.isComplete
            #expect(isValid == (String(validating: bytes, as: UTF8.self) != nil), "\(bytes), cut at \(cut)")
        }
    }

    static let section7: [Case] = [
        Case("7.1.1", [text("Hello"), close(), text("late")], [echo("Hello"), .close(1000)]),
        Case("7.1.2", [close(), close()], [.close(1000)]),
        Case("7.1.3", [close(), ping()], [.close(1000)]),
        Case("7.1.5", [text("one", isFinal: false), close(), more("two")], [.close(1000)]),
        Case(
            "7.1.6", [text(String(repeating: "B", count: 256 << 10)), text("Hello"), close(), ping()],
            [echo(String(repeating: "B", count: 256 << 10)), echo("Hello"), .close(1000)]),
        Case("7.3.1", [close(nil)], [.close(nil)]),
        Case("7.3.2", [ClientFrame(opcode: 8, payload: [0x61])], [.close(1002)]),
        Case("7.3.3", [close(1000)], [.close(1000)]),
        Case("7.3.4", [close(1000, Array("Hello World!".utf8))], [.close(1000)]),
        Case("7.3.5", [close(1000, Array(repeating: 0x2A, count: 123))], [.close(1000)]),
        Case("7.3.6", [close(1000, Array(repeating: 0x2A, count: 124))], [.close(1002)]),
        Case("7.5.1", [close(1000, [0xCE, 0xBA, 0xED, 0xA0, 0x80])], [.close(1007)]),
        Case("7.5.1, cut in a character", [close(1000, [0x61, 0xCE])], [.close(1007)]),
    ]

    @Test(arguments: section7) func section7Closes(test: Case) throws { try self.run(test) }

    @Test(arguments: [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] as [UInt16])
    func section7Codes(code: UInt16) throws {
        try self.run(Case("7.7", [Self.close(code)], [.close(code)]))
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] as [UInt16])
    func section7CodesThatAreNone(code: UInt16) throws {
        try self.run(Case("7.9", [Self.close(code)], [.close(1002)]))
    }

    @Test func section10ManyFragments() throws {
        let payload = [UInt8](repeating: 0x2A, count: 65_536)
        let starts = Array(stride(from: 0, to: payload.count, by: 1300))
        let frames = starts.map { start in
            ClientFrame(
                opcode: start == 0 ? 1 : 0, isFinal: start == starts.last,
                payload: Array(payload[start..<min(start + 1300, payload.count)]))
        }
        try self.run(Case("10.1.1", frames + [Self.close()], [.text(payload), .close(1000)]), [.max, 1460])
    }
}
