import NIOCore
import NIOWebSocket
import Testing
import WasmnetProtocol
import WasmnetTesting

@testable import WasmnetRelay

/// Ping, pong and the death of silent peers (RFC 6455, sections 5.5.2 and 5.5.3).
@Suite struct HeartbeatTests {
    private func settings() -> RelaySettings {
        var settings = RelaySettings()
        settings.heartbeat = .seconds(30)
        settings.missedHeartbeats = 2
        return settings
    }

    private func pings(_ harness: CarrierHarness) throws -> [ByteBuffer] {
        try harness.frames().filter { $0.opcode == .ping }.map(\.data)
    }

    @Test func aPingComesAtEachInterval() throws {
        let harness = try CarrierHarness(.v1, settings: self.settings())
        #expect(try self.pings(harness).isEmpty)
        for _ in 0..<5 {
            harness.advance(.seconds(29))
            #expect(try self.pings(harness).isEmpty)
            harness.advance(.seconds(1))
            let pings = try self.pings(harness)
            #expect(pings.count == 1)
            for ping in pings { try harness.receive(ClientFrame(opcode: 0xA, payload: Array(ping.readableBytesView))) }
        }
        #expect(harness.isOpen)
        try harness.finish()
    }

    @Test(arguments: 1...4) func aSilentPeerIsClosedAfterTheMissedOnes(missed: Int) throws {
        var settings = self.settings()
        settings.missedHeartbeats = missed
        let harness = try CarrierHarness(.v1, settings: settings)
        for _ in 1..<missed { harness.advance(.seconds(30)) }
        harness.advance(.seconds(29))
        #expect(harness.isOpen)
        harness.advance(.seconds(1))
        #expect(!harness.isOpen)
        #expect(harness.environment.registry.count == 0)
        try harness.finish()
    }

    /// Any bytes count, also those of half a frame; a pause of one interval starts the count anew.
    @Test func anySignOfLifeKeepsThePeer() throws {
        let harness = try CarrierHarness(.v1, settings: self.settings())
        let bytes = ClientFrame(opcode: 0x2, payload: Array(repeating: 0, count: 100)).bytes
        for byte in bytes.prefix(20) {
            harness.advance(.seconds(30))
            try harness.receive([byte])
            harness.advance(.seconds(30))
            #expect(harness.isOpen)
        }
        harness.advance(.seconds(30))
        harness.advance(.seconds(30))
        #expect(!harness.isOpen)
        try harness.finish()
    }

    /// Sent bytes are a sign of life too: a slow reader's pong is behind them.
    @Test func aPeerThatTakesBytesIsAlive() throws {
        let harness = try CarrierHarness(.v1, settings: self.settings())
        for _ in 0..<6 {
            harness.setWritable(false)
            harness.setWritable(true)
            harness.advance(.seconds(30))
        }
        #expect(harness.isOpen)
        try harness.finish()
    }

    @Test func aPeerThatIsNotReadIsNotDead() throws {
        let harness = try CarrierHarness(.v1, settings: self.settings())
        harness.session?.carrier.setReading(false)
        for _ in 0..<6 { harness.advance(.seconds(30)) }
        #expect(harness.isOpen)
        harness.session?.carrier.setReading(true)
        for _ in 0..<2 { harness.advance(.seconds(30)) }
        #expect(!harness.isOpen)
        try harness.finish()
    }

    @Test(arguments: [0, 1, 8, 124, 125]) func aPongCarriesThePingsPayload(length: Int) throws {
        let harness = try CarrierHarness(.v1)
        var random = SeededRandom(UInt64(length))
        let payload = random.bytes(length)
        try harness.receive(ClientFrame(opcode: 0x9, payload: payload))
        let frames = try harness.frames()
        #expect(frames.map(\.opcode) == [.pong])
        #expect(frames.first.map { Array($0.data.readableBytesView) } == payload)
        try harness.finish()
    }

    @Test func everyPingOfOneReadIsAnsweredInOrder() throws {
        let harness = try CarrierHarness(.v1)
        try harness.receive((0..<50).flatMap { ClientFrame(opcode: 0x9, payload: [$0]).bytes })
        #expect(try harness.frames().map { Array($0.data.readableBytesView) } == (0..<50).map { [$0] })
        try harness.finish()
    }

    @Test func unsolicitedPongsAreNoTrouble() throws {
        let harness = try CarrierHarness(.v2)
        _ = try harness.frames()
        for payload in [[], [1], Array(repeating: 0xFF, count: 8), Array(repeating: 0xFF, count: 125)] as [[UInt8]] {
            try harness.receive(ClientFrame(opcode: 0xA, payload: payload))
        }
        #expect(try harness.frames().isEmpty)
        #expect(harness.isOpen)
        #expect(harness.session?.carrier.roundTrip == nil)
        try harness.finish()
    }

    @Test func theFirstPongTellsTheRoundTrip() throws {
        let harness = try CarrierHarness(.v2)
        let ping = try #require(try self.pings(harness).first)
        harness.advance(.milliseconds(80))
        try harness.receive(ClientFrame(opcode: 0xA, payload: Array(ping.readableBytesView)))
        #expect(harness.session?.carrier.roundTrip == 80_000_000)
        try harness.finish()
    }
}
