import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

@testable import WasmnetRelay

/// The bandwidth that each message costs beside the bytes that it carries, to the byte: the clock does not advance.
@Suite struct MessageCostTests {
    private func harness() throws -> CarrierHarness {
        var rules = Policy.Rules()
        rules.allow = [try PolicyEntry("*")]
        rules.limits.maxBandwidthBitsPerSecond = 8_000_000
        return try CarrierHarness(.v1, policy: Policy(rules))
    }

    /// Bytes of bandwidth used, and bytes of the answers.
    private func cost(_ harness: CarrierHarness, _ body: () throws -> Void) throws -> (bandwidth: Int64, answers: Int) {
        func left() throws -> Int64 {
            try #require(harness.ledger.usage(of: ClientID(text: "t:test"))?.byteTokens)
        }
        let before = try left()
        try body()
        let answers = try harness.frames().filter { $0.opcode == .binary }.reduce(0) { $0 + $1.data.readableBytes }
        return (before - (try left()), answers)
    }

    @Test func aMessageCosts64BytesAndItsAnswerWhatItIs() throws {
        let harness = try self.harness()
        for (request, length) in [(Request.close(99), 9), (.connect(1, host: "10.0.0.1", port: 1), 9)] {
            let (bandwidth, answers) = try self.cost(harness) { try harness.receive(request) }
            #expect(answers > length && bandwidth == Int64(64 + answers), "\(request)")
        }
        // A longer message costs its size, with its first byte and its id.
        let name = String(repeating: "a", count: 100)
        let (bandwidth, answers) = try self.cost(harness) { try harness.receive(.resolve(1, name: name)) }
        #expect(answers > 0 && bandwidth >= Int64(109 + answers))
        try harness.finish()
    }

    /// Bytes for a target cost their number, at least 64.
    @Test func smallDataCostsAsMuchAsAMessage() throws {
        let harness = try self.harness()
        let session = try #require(harness.session)
        let target = EmbeddedChannel(loop: harness.loop)
        _ = try TargetHarness.connect(1, .accepted, session, target)
        for (length, expected) in [(1, 64), (63, 64), (64, 64), (200, 200), (0, 64)] as [(Int, Int64)] {
            let data = ByteBuffer(repeating: 1, count: length)
            let (bandwidth, _) = try self.cost(harness) { try harness.receive(.send(1, data)) }
            #expect(bandwidth == expected, "\(length) bytes")
        }
        #expect(harness.ledger.usage(of: ClientID(text: "t:test"))?.bytesToday == 328)
        try harness.finish()
    }

    @Test func pingsPongsAndPartsCostAsMessagesDo() throws {
        let harness = try self.harness()
        let long = [UInt8](repeating: 1, count: 125)
        for (frame, cost, name) in [
            // A ping's answer repeats its payload.
            (ClientFrame(opcode: 0x9, payload: []), 64, "ping"),
            (ClientFrame(opcode: 0x9, payload: long), 250, "long ping"),
            (ClientFrame(opcode: 0xA, payload: [1]), 64, "pong"),
            (ClientFrame(opcode: 0xA, payload: long), 125, "long pong"),
            (ClientFrame(isFinal: false, payload: [0x77]), 64, "part"),
            (ClientFrame(opcode: 0x0, isFinal: false), 64, "empty part"),
        ] as [(ClientFrame, Int64, String)] {
            let (bandwidth, _) = try self.cost(harness) { try harness.receive(frame) }
            #expect(bandwidth == cost, "\(name)")
        }
        try harness.finish()
    }
}
