import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetProtocol

@testable import WasmnetRelay

/// RFC 6455, sections 5.5.1 and 7.
@Suite struct CloseHandshakeTests {
    /// The code and reason of the only close frame in the output since the last call.
    private func close(_ harness: CarrierHarness) throws -> (code: UInt16?, reason: String)? {
        let closes = try harness.frames().filter { $0.opcode == .connectionClose }
        #expect(closes.count <= 1)
        guard var data = closes.first?.data else { return nil }
        return (data.readInteger(), String(buffer: data))
    }

    private func closeFrame(_ code: UInt16, _ reason: String = "") -> ClientFrame {
        ClientFrame(opcode: 0x8, payload: [UInt8(code >> 8), UInt8(code & 0xFF)] + Array(reason.utf8))
    }

    @Test(arguments: [1000, 1001, 1011, 3000, 4999] as [UInt16]) func thePeersCodeIsEchoed(code: UInt16) throws {
        let harness = try CarrierHarness(.v1)
        try harness.receive(self.closeFrame(code, "bye"))
        #expect(try self.close(harness)?.code == code)
        #expect(harness.head.outputCloses == 1, "the server ends first, but only its own direction")
        #expect(harness.environment.registry.count == 0)
        try harness.finish()
    }

    @Test func aCloseWithoutCodeIsAnsweredWithoutOne() throws {
        let harness = try CarrierHarness(.v1)
        try harness.receive(ClientFrame(opcode: 0x8))
        let answer = try #require(try self.close(harness))
        #expect(answer.code == nil)
        #expect(harness.head.outputCloses == 1)
        try harness.finish()
    }

    @Test func nothingBehindAPeersCloseIsLookedAt() throws {
        let harness = try CarrierHarness(.v1)
        try harness.receive(self.closeFrame(1000).bytes + ClientFrame(opcode: 0x9, payload: [1]).bytes)
        #expect(try harness.frames().map(\.opcode) == [.connectionClose])
        try harness.finish()
    }

    @Test(arguments: [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65_535] as [UInt16])
    func codesThatAreNoneAreAProtocolError(code: UInt16) throws {
        let harness = try CarrierHarness(.v1)
        try harness.receive(self.closeFrame(code))
        #expect(try self.close(harness)?.code == 1002)
        try harness.finish()
    }

    static let broken: [(String, ClientFrame, UInt16)] = [
        ("unmasked", ClientFrame(mask: nil, payload: [1]), 1002),
        ("reserved bits", ClientFrame(reserved: 4, payload: [1]), 1002),
        ("unknown opcode", ClientFrame(opcode: 0x3), 1002),
        ("fragmented ping", ClientFrame(opcode: 0x9, isFinal: false), 1002),
        ("long ping", ClientFrame(opcode: 0x9, payload: Array(repeating: 0, count: 126)), 1002),
        ("a length in too many bytes", ClientFrame(statedLength: 5, lengthForm: .sixteen), 1002),
        ("a continuation of nothing", ClientFrame(opcode: 0x0, payload: [1]), 1002),
        ("a close of one byte", ClientFrame(opcode: 0x8, payload: [3]), 1002),
        ("a close that is no UTF-8", ClientFrame(opcode: 0x8, payload: [3, 232, 0xFF]), 1007),
        ("a frame over the cap", ClientFrame(statedLength: (1 << 20) + 1), 1009),
        ("the largest length", ClientFrame(statedLength: .max), 1009),
    ]

    @Test(arguments: broken.indices) func whatIsNoWebSocketIsToldOnceAndNotHeardAnyMore(index: Int) throws {
        let (name, frame, code) = Self.broken[index]
        let harness = try CarrierHarness(.v1)
        try harness.receive(frame)
        #expect(try self.close(harness)?.code == code, "\(name)")
        #expect(harness.isOpen, "the peer's close is waited for")
        // Neither requests nor pings are answered after a close frame.
        try harness.receive(ClientFrame(opcode: 0x9, payload: [1]))
        try harness.receive(.resolve(1, name: "127.0.0.1"))
        #expect(try harness.frames().isEmpty, "\(name)")
        try harness.finish()
    }

    @Test func ourCloseEndsWithThePeersAndIsNotAnsweredAgain() throws {
        let harness = try CarrierHarness(.v2)
        try harness.receive(ClientFrame(opcode: 0x1, payload: Array("{}".utf8)))
        let close = try #require(try self.close(harness))
        #expect(close.code == 1002 && !close.reason.isEmpty)
        #expect(harness.isOpen)
        #expect(harness.environment.registry.count == 0, "the session is over already")
        try harness.receive(self.closeFrame(1002))
        #expect(harness.head.outputCloses == 1)
        #expect(try harness.frames().isEmpty)
        try harness.finish()
    }

    /// Data passed on before the peer's close frame is sent completely, the answer after it.
    @Test func theAnswerToACloseWaitsForWhatIsQueued() throws {
        let harness = try CarrierHarness(.v1)
        let session = try #require(harness.session)
        harness.head.holdsWrites = true
        let payload = ByteBuffer(repeating: 7, count: 100_000)
        session.messages.sendData(1, payload, as: .binary)
        harness.loop.run()
        try harness.receive(self.closeFrame(1000))
        #expect(harness.isOpen && harness.head.outputCloses == 0)
        #expect(harness.environment.registry.count == 0, "the session is over already")
        harness.head.letGo()
        let frames = try harness.frames()
        #expect(frames.map(\.opcode) == [.binary, .connectionClose])
        #expect(frames.first?.data.readableBytes == payload.readableBytes + 9)
        #expect(harness.isOpen && harness.head.outputCloses == 1)
        try harness.finish()
    }

    @Test func aPeerThatTakesNothingIsCutOffAfterItsClose() throws {
        let harness = try CarrierHarness(.v1)
        harness.head.holdsWrites = true
        try harness.receive(self.closeFrame(1000))
        harness.advance(.milliseconds(4999))
        #expect(harness.isOpen)
        harness.advance(.milliseconds(1))
        #expect(!harness.isOpen)
        try harness.finish()
    }

    @Test func whatComesBehindACloseIsDroppedUpToABound() throws {
        let harness = try CarrierHarness(.v1)
        try harness.receive(self.closeFrame(1000))
        let before = harness.head.reads
        for _ in 0..<4 { try harness.receive([UInt8](repeating: 1, count: 256 << 10)) }
        #expect(harness.isOpen && harness.head.reads > before)
        try harness.receive([1])
        #expect(!harness.isOpen)
        try harness.finish()
    }

    @Test func aPeerThatDoesNotAnswerOurCloseIsCutOff() throws {
        var settings = RelaySettings()
        settings.closeTimeout = .seconds(5)
        let harness = try CarrierHarness(.v2, settings: settings)
        try harness.receive(ClientFrame(opcode: 0x1))
        harness.advance(.milliseconds(4999))
        #expect(harness.isOpen)
        harness.advance(.milliseconds(1))
        #expect(!harness.isOpen)
        try harness.finish()
    }

    /// A control frame has at most 125 bytes, two of them the code; the truncated text is still UTF-8.
    @Test(arguments: 115...125) func aLongReasonIsCut(ascii: Int) throws {
        let harness = try CarrierHarness(.v1)
        let reason = String(repeating: "x", count: ascii) + "\u{1F30D}\u{1F30D}\u{1F30D}"
        harness.session?.end(.draining, close: .goingAway, reason)
        let close = try #require(try self.close(harness))
        #expect(close.code == 1001)
        #expect(close.reason.utf8.count <= 123)
        #expect(reason.hasPrefix(close.reason), "cut between characters")
        try harness.finish()
    }

    @Test func halfAWebSocketIsNone() throws {
        let harness = try CarrierHarness(.v1)
        harness.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        harness.loop.run()
        #expect(!harness.isOpen)
        #expect(harness.environment.registry.count == 0)
        try harness.finish()
    }

    @Test func anErrorOfTheChannelEndsIt() throws {
        let harness = try CarrierHarness(.v1)
        harness.channel.pipeline.fireErrorCaught(ChannelError.inputClosed)
        harness.loop.run()
        #expect(!harness.isOpen)
        try harness.finish()
    }
}
