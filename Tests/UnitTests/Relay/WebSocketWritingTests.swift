import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetProtocol
import WasmnetTesting

@testable import WasmnetRelay

/// From messages of a session to bytes of a WebSocket, read back by NIO's decoder.
@Suite struct WebSocketWritingTests {
    static let lengths = [0, 1, 116, 117, 125, 126, 2048, 4096, 4097, 65_526, 65_527, 65_535, 65_536, 1 << 20]

    private let header = ByteBuffer(bytes: [0x82, 0, 0, 0, 0, 0, 0, 0, 9])

    @Test(arguments: lengths) func everyWayToSendMakesOneWholeFrame(length: Int) throws {
        let harness = try CarrierHarness(.v1)
        let carrier = try #require(harness.session?.carrier)
        var random = SeededRandom(UInt64(length))
        let payload = random.bytes(length)
        // With and without room before the bytes for the headers.
        var roomy = ByteBuffer(repeating: 0xEE, count: ReceiveAllocator.headroom)
        roomy.moveReaderIndex(forwardBy: ReceiveAllocator.headroom)
        roomy.writeBytes(payload)
        carrier.sendData(header: self.header, payload: roomy)
        carrier.sendData(header: self.header, payload: ByteBuffer(bytes: payload))
        carrier.sendText(ByteBuffer(bytes: payload))
        carrier.sendAnswer(ByteBuffer(bytes: payload), isText: true)
        carrier.sendAnswer(ByteBuffer(bytes: payload), isText: false)
        let frames = try harness.frames().filter { $0.opcode != .ping }
        #expect(frames.map(\.opcode) == [.binary, .binary, .text, .text, .binary])
        #expect(frames.allSatisfy { $0.fin && $0.maskKey == nil })
        let whole = Array(self.header.readableBytesView) + payload
        #expect(frames.map { Array($0.data.readableBytesView) } == [whole, whole, payload, payload, payload])
        try harness.finish()
    }

    /// The room before a payload is written in place: other owners of the buffer must not see it.
    @Test func aPayloadThatSomebodyElseHoldsIsNotChanged() throws {
        let harness = try CarrierHarness(.v1)
        let carrier = try #require(harness.session?.carrier)
        var roomy = ByteBuffer(repeating: 0xEE, count: 64)
        roomy.moveReaderIndex(forwardBy: 64)
        roomy.writeRepeatingByte(1, count: 10_000)
        var copy = roomy
        carrier.sendData(header: self.header, payload: roomy)
        #expect(copy == roomy)
        copy.moveReaderIndex(to: 0)
        #expect(copy.readBytes(length: 64) == Array(repeating: 0xEE, count: 64))
        try harness.finish()
    }

    @Test(arguments: [101, 102, 103] as [UInt64]) func orderIsKeptWhateverTheSizes(seed: UInt64) throws {
        var random = SeededRandom(seed)
        let harness = try CarrierHarness(.v1)
        let carrier = try #require(harness.session?.carrier)
        var expected: [[UInt8]] = []
        for number in 0..<300 {
            var payload = ByteBuffer(integer: UInt32(number))
            payload.writeBytes(random.bytes([0, 10, 3000, 9000].randomElement(using: &random) ?? 0))
            let bytes = Array(payload.readableBytesView)
            switch Int.random(in: 0..<3, using: &random) {
            case 0: carrier.sendAnswer(payload, isText: false)
            case 1: carrier.sendText(payload)
            default: carrier.sendData(header: ByteBuffer(), payload: payload)
            }
            expected.append(bytes)
            switch Int.random(in: 0..<10, using: &random) {
            case 0: harness.loop.run()
            case 1: carrier.flushNow()
            default: break
            }
        }
        let received = try harness.frames().filter { $0.opcode != .ping }.map { Array($0.data.readableBytesView) }
        #expect(received == expected, "seed \(seed)")
        try harness.finish()
    }

    @Test func whatOneTurnBringsIsWrittenOnceAtItsEnd() throws {
        let harness = try CarrierHarness(.v1)
        let carrier = try #require(harness.session?.carrier)
        for _ in 0..<10 { carrier.sendAnswer(ByteBuffer(string: "answer"), isText: true) }
        #expect(try harness.channel.readOutbound(as: ByteBuffer.self) == nil)
        harness.loop.run()
        #expect(try harness.channel.readOutbound(as: ByteBuffer.self)?.readableBytes == 10 * 8)
        #expect(try harness.channel.readOutbound(as: ByteBuffer.self) == nil)
        try harness.finish()
    }

    @Test func nothingIsSentBehindAClose() throws {
        let harness = try CarrierHarness(.v1)
        let carrier = try #require(harness.session?.carrier)
        carrier.close(.goingAway, "draining")
        carrier.sendAnswer(ByteBuffer(string: "x"), isText: false)
        carrier.sendText(ByteBuffer(string: "x"))
        carrier.sendData(header: self.header, payload: ByteBuffer(string: "x"))
        carrier.close(.normal, "again")
        #expect(try harness.frames().map(\.opcode) == [.connectionClose])
        #expect(!carrier.hasRoom && !carrier.acceptsUrgentData)
        try harness.finish()
    }

    // MARK: Room

    @Test func aSocketThatTakesNothingHasNoRoomButTakesAnswers() throws {
        let harness = try CarrierHarness(.v1)
        let carrier = try #require(harness.session?.carrier)
        #expect(carrier.hasRoom && carrier.acceptsUrgentData)
        harness.setWritable(false)
        #expect(!carrier.hasRoom && !carrier.acceptsUrgentData)
        carrier.sendAnswer(ByteBuffer(string: "x"), isText: false)
        #expect(try harness.frames().count == 1)
        harness.setWritable(true)
        #expect(carrier.hasRoom)
        try harness.finish()
    }

    @Test func whatWaitsForTheTurnsEndTakesRoom() throws {
        var settings = RelaySettings()
        settings.outboundHighWaterBytes = 10_000
        settings.outboundLowWaterBytes = 5_000
        let harness = try CarrierHarness(.v1, settings: settings)
        let carrier = try #require(harness.session?.carrier)
        carrier.sendData(header: self.header, payload: ByteBuffer(repeating: 0, count: 9_990))
        #expect(carrier.hasRoom)
        carrier.sendData(header: self.header, payload: ByteBuffer())
        #expect(!carrier.hasRoom)
        harness.loop.run()
        #expect(carrier.hasRoom)
        try harness.finish()
    }

    @Test func requestsAreNoLongerReadWhileTheirAnswersPileUp() throws {
        var settings = RelaySettings()
        settings.answerBacklogBytes = 1000
        let harness = try CarrierHarness(.v1, settings: settings)
        harness.setWritable(false)
        let request = Request.resolve(7, name: "127.0.0.1")
        var count = 0
        while count < 1000 {
            let reads = harness.head.reads
            try harness.receive(request)
            count += 1
            if harness.head.reads == reads { break }
        }
        #expect((10..<1000).contains(count), "\(count) requests were read")
        let reads = harness.head.reads
        harness.setWritable(true)
        #expect(harness.head.reads == reads + 1)
        #expect(try harness.events().count == count)
        try harness.finish()
    }

    /// A reader that stops reading costs a bounded amount of memory, also one that only pings.
    @Test func pingsAreNoLongerReadWhileTheirAnswersPileUp() throws {
        var settings = RelaySettings()
        settings.answerBacklogBytes = 1000
        let harness = try CarrierHarness(.v1, settings: settings)
        harness.setWritable(false)
        let ping = ClientFrame(opcode: 0x9, payload: Array(repeating: 0, count: 125))
        var count = 0
        while count < 1000 {
            let reads = harness.head.reads
            try harness.receive(ping)
            count += 1
            if harness.head.reads == reads { break }
        }
        #expect(count < 1000, "\(count) pings were read and answered while nothing left")
        let reads = harness.head.reads
        harness.setWritable(true)
        #expect(harness.head.reads == reads + 1, "and afterwards it is read again")
        try harness.finish()
    }
}
