import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetPolicy
import WasmnetProtocol
import WasmnetTesting

@testable import WasmnetRelay

/// From bytes of a WebSocket to messages of a session, however they are split.
@Suite struct WebSocketReadingTests {
    private static let resolve = Array(#"{"op":"resolve","id":7,"name":"127.0.0.1"}"#.utf8)
    /// A message that causes a lookup.
    private static let slow =
        ClientFrame(opcode: 0x1, payload: Array(#"{"op":"resolve","id":7,"name":"slow.example"}"#.utf8)).bytes

    /// The client's messages in these tests: a whole message, one in fragments with a ping among them, and a last ping.
    private static let conversation: [UInt8] = {
        let half = Self.resolve.count / 2
        return ClientFrame(opcode: 0x1, payload: Self.resolve).bytes
            + ClientFrame(opcode: 0x1, isFinal: false, payload: Array(Self.resolve[..<half])).bytes
            + ClientFrame(opcode: 0x9, payload: [1, 2, 3]).bytes
            + ClientFrame(opcode: 0x0, isFinal: false).bytes
            + ClientFrame(opcode: 0x0, payload: Array(Self.resolve[half...])).bytes
            + ClientFrame(opcode: 0x9).bytes
    }()

    /// The answers to ``conversation``.
    private func expectAnswers(_ harness: CarrierHarness, _ comment: Comment) throws {
        let frames = try harness.frames()
        #expect(frames.map(\.opcode) == [.text, .pong, .text, .pong], comment)
        let answers = try frames.filter { $0.opcode == .text }.compactMap {
            try harness.session?.messages.codec.decodeEvent($0.data, isText: true).get()
        }
        #expect(answers == Array(repeating: .resolved(7, addresses: ["127.0.0.1"]), count: 2), comment)
    }

    @Test func everyCutIntoTwoReadsIsTheSame() throws {
        let harness = try CarrierHarness(.v1)
        for cut in 0...Self.conversation.count {
            try harness.receive(Self.conversation[..<cut])
            try harness.receive(Self.conversation[cut...])
            try self.expectAnswers(harness, "cut at \(cut)")
        }
        try harness.finish()
    }

    @Test func oneByteARead() throws {
        let harness = try CarrierHarness(.v1)
        for byte in Self.conversation { try harness.receive([byte]) }
        try self.expectAnswers(harness, "byte by byte")
        try harness.finish()
    }

    /// The cost of messages, not their number, ends a turn: here each takes 100 of its 250 µs.
    @Test func aTurnEndsWhenItsTimeIsOver() throws {
        let harness = try CarrierHarness(.v1, eachLookupTakes: .microseconds(100))
        try harness.receive((0..<10).flatMap { _ in Self.slow })
        var events = try harness.events().count
        #expect(events == 3)
        let reads = harness.head.reads
        for turn in 2...4 {
            harness.advance(.microseconds(101))
            events += try harness.events().count
            #expect(events == min(10, turn * 3))
            #expect(harness.head.reads == (turn == 4 ? reads + 1 : reads), "nothing is read before all is taken")
        }
        try harness.finish()
    }

    /// A message that takes longer than a turn is a turn.
    @Test func eachTurnTakesAMessage() throws {
        let harness = try CarrierHarness(.v1, eachLookupTakes: .milliseconds(1))
        try harness.receive((0..<5).flatMap { _ in Self.slow })
        for _ in 0..<5 {
            #expect(try harness.events().count == 1)
            harness.advance(.microseconds(101))
        }
        try harness.finish()
    }

    /// Without other sessions turns are longer, and short again once there are some.
    @Test func aTurnIsLongerWhereNobodyWaits() throws {
        let loop = EmbeddedEventLoop()
        let turns = InputTurns(loop)
        let first = try CarrierHarness(.v1, loop: loop, turns: turns, eachLookupTakes: .microseconds(100))
        let second = try CarrierHarness(.v1, loop: loop, turns: turns, eachLookupTakes: .microseconds(100))
        try first.receive(Self.slow)
        first.advance(.milliseconds(100))
        _ = try first.events()
        try first.receive((0..<30).flatMap { _ in Self.slow })
        #expect(try first.events().count == 20)
        try second.receive(Self.slow)
        loop.advanceTime(by: .microseconds(101))
        #expect(try first.events().count == 3)
        try first.finish()
        try second.finish()
    }

    /// Sessions that have more than a turn take turns, one after the other.
    @Test func sessionsTakeTurnsInOrder() throws {
        let loop = EmbeddedEventLoop()
        let turns = InputTurns(loop)
        let first = try CarrierHarness(.v1, loop: loop, turns: turns, eachLookupTakes: .microseconds(100))
        let second = try CarrierHarness(.v1, loop: loop, turns: turns, eachLookupTakes: .microseconds(100))
        try first.receive((0..<10).flatMap { _ in Self.slow })
        try second.receive((0..<5).flatMap { _ in Self.slow })
        #expect(try first.events().count == 3)
        #expect(try second.events().count == 3)
        loop.advanceTime(by: .microseconds(101))
        #expect(try first.events().count == 3)
        #expect(try second.events().count == 2)
        try first.finish()
        try second.finish()
    }

    /// Messages of every form of length, split around their headers: the decoded payload is the original.
    @Test(arguments: [0, 125, 126, 65_535, 65_536, (1 << 20) - 9]) func payloadsComeUpUnmasked(length: Int) throws {
        let harness = try CarrierHarness(.v1)
        let session = try #require(harness.session)
        let target = EmbeddedChannel(loop: harness.loop)
        let stream = try TargetHarness.connect(1, .tcp, session, target)
        var random = SeededRandom(UInt64(length))
        let payload = random.bytes(length)
        let frame = ClientFrame(payload: [0x04] + Array(repeating: 0, count: 7) + [1] + payload).bytes
        let cuts = Array(0...24) + [frame.count / 2, frame.count - 1]
        for cut in cuts where cut < frame.count {
            try harness.receive(frame[..<cut])
            try harness.receive(frame[cut...])
            harness.channel.pipeline.fireChannelReadComplete()
            harness.loop.run()
            var received: [UInt8] = []
            while let part = try target.readOutbound(as: ByteBuffer.self) { received += part.readableBytesView }
            #expect(received == payload, "cut at \(cut)")
        }
        #expect(stream.core.record.bytesUp > 0 || length == 0)
        try harness.finish()
    }

    @Test func fragmentsOverTheCapTogetherAre1009() throws {
        let harness = try CarrierHarness(.v1)
        let half = [UInt8](repeating: 0, count: 600_000)
        try harness.receive(ClientFrame(isFinal: false, payload: half))
        #expect(try harness.frames().isEmpty)
        try harness.receive(ClientFrame(opcode: 0x0, isFinal: false, payload: half))
        var close = try #require(try harness.frames().first { $0.opcode == .connectionClose }).data
        #expect(close.readInteger(as: UInt16.self) == 1009)
        try harness.finish()
    }

    @Test(arguments: [91, 92, 93] as [UInt64]) func anyBytesEndInACloseAtMost(seed: UInt64) throws {
        var random = SeededRandom(seed)
        for round in 0..<40 {
            let harness = try CarrierHarness(Bool.random(using: &random) ? .v1 : .v2)
            for _ in 0..<20 where harness.isOpen {
                try harness.receive(random.bytes(Int.random(in: 1...300, using: &random)))
            }
            let closes = try harness.frames().filter { $0.opcode == .connectionClose }
            #expect(closes.count <= 1, "seed \(seed), round \(round)")
            try harness.finish()
        }
    }

    // MARK: Reads

    @Test func oneReadIsAskedForAtATime() throws {
        let harness = try CarrierHarness(.v1)
        let first = harness.head.reads
        #expect(first == 1)
        try harness.channel.writeInbound(ByteBuffer(bytes: ClientFrame(opcode: 0x9).bytes))
        // EmbeddedChannel ends every read with channelReadComplete.
        #expect(harness.head.reads == first + 1)
        harness.session?.carrier.setReading(true)
        #expect(harness.head.reads == first + 1, "one is pending")
        try harness.finish()
    }

    @Test func nothingIsReadUntilReadingIsWantedAgain() throws {
        let harness = try CarrierHarness(.v1)
        let session = try #require(harness.session)
        let carrier = session.carrier
        // Held like a target without credit: the session decides after each read.
        let stream = TargetStream(
            id: 1, encoding: .binary, kind: .tcp, target: SocketTarget(host: "target", port: 2, transport: .tcp),
            context: SocketContext(session))
        session.traffic.holdUploads(stream)
        carrier.setReading(false)
        let before = harness.head.reads
        try harness.receive(ClientFrame(opcode: 0xA))
        #expect(harness.head.reads == before)
        session.traffic.releaseUploads(stream)
        carrier.setReading(true)
        harness.advance(.milliseconds(1))
        #expect(harness.head.reads == before + 1)
        try harness.finish()
    }
}
