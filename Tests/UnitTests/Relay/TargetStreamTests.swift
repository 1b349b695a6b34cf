import Glibc
import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetPolicy
import WasmnetProtocol
import WasmnetTesting

@testable import WasmnetRelay

/// The decisions of ``SocketMachine``, carried out on a channel.
@Suite struct TargetStreamTests {
    private let id = TargetHarness.id

    /// The reason in the only `closed` among events; nil if there is none.
    private func closed(_ events: [Event]) -> ReasonCode? {
        let reasons = events.compactMap { event -> ReasonCode? in
            if case .closed(_, let reason, _) = event { reason } else { nil }
        }
        #expect(reasons.count <= 1)
        return reasons.first
    }

    @Test(arguments: WireVersion.allCases) func aTargetThatEndsGivesItsSlotBackAtOnce(version: WireVersion) throws {
        let harness = try TargetHarness(version)
        #expect(harness.slots == 1)
        try harness.targetSends([1, 2, 3])
        harness.targetEnds()
        if version == .v2 {
            #expect(try harness.told() == [.data(self.id, ByteBuffer(bytes: [1, 2, 3])), .end(self.id)])
            try harness.client(.shutdown(self.id))
        }
        #expect(self.closed(try harness.told()) == .normal)
        // Nothing is unsent: the node's half closes now and not when the linger runs out.
        #expect(harness.head.outputCloses == 1)
        #expect(!harness.target.isActive)
        #expect(harness.slots == 0)
        try harness.finish()
    }

    @Test func bytesSentBeforeATargetsEndStillGoOutInV1() throws {
        let harness = try TargetHarness(.v1)
        harness.head.holdsWrites = true
        try harness.client(.send(self.id, ByteBuffer(string: "late")))
        harness.targetEnds()
        #expect(self.closed(try harness.told()) == .normal)
        #expect(harness.target.isActive && harness.head.outputCloses == 0)
        harness.head.letGo()
        #expect(try harness.received() == Array("late".utf8))
        #expect(harness.head.outputCloses == 1 && !harness.target.isActive && harness.slots == 0)
        try harness.finish()
    }

    /// The target ends and reads nothing; the client is gone: the linger timer has to end it.
    @Test(arguments: WireVersion.allCases, [true, false])
    func aClosedSocketEndsWithTheLingerWhateverTheTargetDoes(version: WireVersion, targetEnds: Bool) throws {
        var settings = RelaySettings()
        settings.linger = .seconds(5)
        settings.missedHeartbeats = 1000
        let harness = try TargetHarness(version, settings: settings)
        harness.head.holdsWrites = true
        try harness.client(.send(self.id, ByteBuffer(string: "stuck")))
        try harness.client(.close(self.id))
        if targetEnds { harness.targetEnds() }
        #expect(harness.slots == 1)
        harness.carrier.advance(.seconds(5))
        // Only v2 has the reason.
        #expect(self.closed(try harness.told()) == (version == .v2 ? .clientClosed : .normal))
        #expect(!harness.target.isActive && harness.slots == 0)
        try harness.finish()
    }

    @Test func closeWaitsForTheBytesThatWereSent() throws {
        let harness = try TargetHarness(.v2)
        harness.head.holdsWrites = true
        try harness.client(.send(self.id, ByteBuffer(string: "bytes")))
        try harness.client(.close(self.id))
        #expect(self.closed(try harness.told()) == nil)
        harness.head.letGo()
        #expect(try harness.received() == Array("bytes".utf8))
        #expect(self.closed(try harness.told()) == .clientClosed)
        #expect(harness.head.outputCloses == 1)
        try harness.finish()
    }

    /// The bytes in the channel, and those waiting behind them.
    @Test(arguments: [["bytes"], ["a", "b", "c"]]) func resetDropsWhatIsUnsent(pieces: [String]) throws {
        let harness = try TargetHarness(.v2)
        harness.head.holdsWrites = true
        for piece in pieces { try harness.client(.send(self.id, ByteBuffer(string: piece))) }
        try harness.client(.reset(self.id))
        #expect(self.closed(try harness.told()) == .clientClosed)
        #expect(!harness.target.isActive && harness.slots == 0)
        #expect(try harness.received().isEmpty)
        harness.head.letGo()
        #expect(try harness.received().isEmpty)
        try harness.finish()
    }

    /// Both halves ended properly, only the client has no credit left: the reported end is still a proper one.
    @Test func anEndBehindBytesWithoutCreditIsNoReset() throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 5000
        let harness = try TargetHarness(.v2, settings: settings)
        try harness.client(.shutdown(self.id))
        #expect(harness.head.outputCloses == 1)
        try harness.targetSends(Array(repeating: 7, count: 7500))
        harness.targetEnds()
        harness.targetIsGone()
        #expect(try harness.told() == [.data(self.id, ByteBuffer(repeating: 7, count: 5000))])
        try harness.client(.window(self.id, bytes: 5000))
        let events = try harness.told()
        #expect(events.prefix(2) == [.data(self.id, ByteBuffer(repeating: 7, count: 2500)), .end(self.id)])
        #expect(self.closed(events) == .normal)
        #expect(harness.slots == 0)
        try harness.finish()
    }

    @Test func aResetBehindBytesIsToldAfterThem() throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 5000
        let harness = try TargetHarness(.v2, settings: settings)
        try harness.targetSends(Array(repeating: 7, count: 7500))
        harness.target.pipeline.fireErrorCaught(IOError(errnoCode: ECONNRESET, reason: "reset"))
        harness.targetIsGone()
        #expect(self.closed(try harness.told()) == nil)
        try harness.client(.window(self.id, bytes: 5000))
        let events = try harness.told()
        #expect(events.first == .data(self.id, ByteBuffer(repeating: 7, count: 2500)))
        #expect(self.closed(events) == .targetReset && events.count == 2)
        try harness.finish()
    }

    /// Bytes that waited for the day's bytes are sent when those are granted, and no further message is needed.
    @Test(arguments: WireVersion.allCases) func whatWaitedForTheDaysBytesGoesOutByItself(version: WireVersion) throws {
        let ration = Ration(3)
        let harness = try TargetHarness(version, ration: ration)
        try harness.client(.send(self.id, ByteBuffer(string: "waiting")))
        #expect(try harness.received() == Array("wai".utf8))
        ration.add(2)
        harness.carrier.advance(.milliseconds(1))
        #expect(try harness.received() == Array("ti".utf8))
        ration.add(100)
        harness.carrier.advance(.milliseconds(1))
        #expect(try harness.received() == Array("ng".utf8))
        // And the client's messages are read again.
        try harness.client(.send(self.id, ByteBuffer(string: "more")))
        #expect(try harness.received() == Array("more".utf8))
        try harness.finish()
    }

    /// The target aborted, and the day's bytes end before its data could pass.
    @Test func anEndOfTheDayEndsASocketWhoseTargetIsGone() throws {
        let harness = try TargetHarness(.v2, ration: Ration(0))
        try harness.targetSends([1, 2, 3])
        harness.target.pipeline.fireErrorCaught(IOError(errnoCode: ECONNRESET, reason: "reset"))
        harness.targetIsGone()
        #expect(self.closed(try harness.told()) == nil)
        harness.stream.windUp(.byteQuota, "spent")
        #expect(self.closed(try harness.told()) == .targetReset)
        #expect(harness.slots == 0)
        try harness.finish()
    }

    /// The day's bytes are spent, and the client is slow to read its last ones: they wait for it, but its target's connection does not.
    @Test func theLastBytesOfTheDayWaitForTheirClient() throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 5000
        let harness = try TargetHarness(.v2, settings: settings)
        try harness.targetSends(Array(repeating: 7, count: 7500))
        harness.stream.windUp(.byteQuota, "spent")
        harness.carrier.advance(settings.linger)
        #expect(self.closed(try harness.told()) == nil)
        #expect(harness.slots == 0 && !harness.target.isActive)
        try harness.client(.window(self.id, bytes: 5000))
        let events = try harness.told()
        #expect(events.first == .data(self.id, ByteBuffer(repeating: 7, count: 2500)))
        #expect(self.closed(events) == .byteQuota && events.count == 2)
        try harness.finish()
    }

    // MARK: Small messages for a target that does not read

    /// Data sent during the dial is kept in one piece, and does not keep its reads alive.
    @Test func whatWaitsForADialHoldsItsBytesAlone() throws {
        let carrier = try CarrierHarness(.v2)
        let session = try #require(carrier.session)
        let stream = TargetStream(
            id: self.id, encoding: .binary, kind: .tcp,
            target: SocketTarget(host: "target", port: 2, name: nil, address: nil, transport: .tcp),
            context: SocketContext(session))
        session.table.add(stream)
        var read = ByteBuffer(bytes: (0..<100_000).map { UInt8(truncatingIfNeeded: $0) })
        let place = read.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
        for index in 0..<200 { stream.send(try #require(read.getSlice(at: index, length: 1))) }
        read.setInteger(UInt8(0xFF), at: 0)
        // A shared buffer is copied when it is written to.
        #expect(read.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) } == place)
        let head = HeadRecorder()
        let target = EmbeddedChannel(handler: head, loop: carrier.loop)
        try target.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 2)).wait()
        stream.connected(Dial.Connection(channel: target, address: .four(1), receiver: ReceiveAllocator(largest: 1024)))
        #expect(head.writes == 1)
        #expect(try target.readOutbound(as: ByteBuffer.self).map { Array($0.readableBytesView) } == Array(0..<200))
        try carrier.finish()
        _ = try? target.finish(acceptAlreadyClosed: true)
    }

    /// Each piece that waits in the channel has some hundred bytes of overhead: however small the messages, there are few pieces.
    @Test(arguments: WireVersion.allCases) func smallMessagesForASlowTargetWaitInFewPieces(version: WireVersion) throws
    {
        let harness = try TargetHarness(version)
        harness.head.holdsWrites = true
        let sent = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        for byte in sent { try harness.client(.send(self.id, ByteBuffer(bytes: [byte]))) }
        #expect(harness.head.writes <= 4)
        harness.head.letGo()
        #expect(try harness.received() == sent)
        // Once the target reads again, each is sent at once.
        let writes = harness.head.writes
        for _ in 0..<3 {
            try harness.client(.send(self.id, ByteBuffer(string: "x")))
            #expect(try harness.received() == Array("x".utf8))
        }
        #expect(harness.head.writes == writes + 3)
        try harness.finish()
    }

    /// A target that repeatedly reads a little and then stops.
    @Test func aTargetThatStallsAgainAndAgainGetsEverythingInOrder() throws {
        let harness = try TargetHarness(.v2)
        var random = SeededRandom(125)
        var sent: [UInt8] = []
        var received: [UInt8] = []
        for _ in 0..<300 {
            if Bool.random(using: &random) { harness.head.holdsWrites = true }
            let bytes = random.bytes(Int.random(in: 1...800, using: &random))
            sent += bytes
            try harness.client(.send(self.id, ByteBuffer(bytes: bytes)))
            if Int.random(in: 0..<4, using: &random) == 0 { harness.head.letGo() }
            received += try harness.received()
            _ = try harness.told()
        }
        harness.head.letGo()
        received += try harness.received()
        #expect(received == sent)
        try harness.finish()
    }

    @Test func theHalfCloseComesAfterWhatWaits() throws {
        let harness = try TargetHarness(.v2)
        harness.head.holdsWrites = true
        for text in ["a", "b", "c"] { try harness.client(.send(self.id, ByteBuffer(string: text))) }
        try harness.client(.shutdown(self.id))
        #expect(harness.head.outputCloses == 0)
        harness.head.letGo()
        #expect(try harness.received() == Array("abc".utf8))
        #expect(harness.head.outputCloses == 1)
        try harness.finish()
    }

    /// The client closes its socket, or is gone: its sent data is still delivered.
    @Test(arguments: WireVersion.allCases, [true, false])
    func whatWaitsOutlivesItsClient(version: WireVersion, closes: Bool) throws {
        let harness = try TargetHarness(version)
        harness.head.holdsWrites = true
        for text in ["a", "b", "c"] { try harness.client(.send(self.id, ByteBuffer(string: text))) }
        if closes {
            try harness.client(.close(self.id))
            #expect(self.closed(try harness.told()) == nil)
        } else {
            try harness.carrier.finish()
        }
        harness.head.letGo()
        #expect(try harness.received() == Array("abc".utf8))
        #expect(harness.head.outputCloses == 1)
        try harness.finish()
    }

    /// Credit for small messages is granted when they have left for the target, as for large ones, and not while they wait.
    @Test func creditForWhatWaitsComesBackWhenItHasLeft() throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 1000
        let harness = try TargetHarness(.v2, settings: settings)
        harness.head.holdsWrites = true
        for _ in 0..<600 { try harness.client(.send(self.id, ByteBuffer(bytes: [1]))) }
        #expect(try harness.told() == [])
        harness.head.letGo()
        #expect(try harness.received().count == 600)
        #expect(try harness.told() == [.window(self.id, bytes: 600)])
        try harness.finish()
    }

    // MARK: Credit

    @Test func aTargetIsNotReadWithoutCredit() throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 100
        let harness = try TargetHarness(.v2, settings: settings)
        try harness.targetSends(Array(repeating: 1, count: 100))
        let reads = harness.head.reads
        try harness.client(.window(self.id, bytes: 0))
        #expect(harness.head.reads == reads, "nothing was granted")
        try harness.client(.window(self.id, bytes: 1))
        #expect(harness.head.reads == reads + 1)
        try harness.finish()
    }

    @Test func grantsWithoutEndOverflowNothing() throws {
        let harness = try TargetHarness(.v2)
        for _ in 0..<10 { try harness.client(.window(self.id, bytes: .max)) }
        try harness.targetSends([1])
        #expect(try harness.told() == [.data(self.id, ByteBuffer(bytes: [1]))])
        #expect(harness.stream.credit.limit > 0)
        try harness.finish()
    }

    @Test func oneByteBeyondTheCreditIsAProtocolError() throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 100
        let harness = try TargetHarness(.v2, settings: settings)
        harness.head.holdsWrites = true
        try harness.client(.send(self.id, ByteBuffer(repeating: 0, count: 100)))
        #expect(self.closed(try harness.told()) == nil)
        try harness.client(.send(self.id, ByteBuffer(repeating: 0, count: 1)))
        #expect(self.closed(try harness.told()) == .protocolError)
        #expect(harness.slots == 0)
        try harness.finish()
    }

    /// "The most credit beyond first windows out in one session": an ended socket has none out.
    @Test func theWindowsOfEndedSocketsAreRoomAgain() throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 10_000
        settings.maxSessionWindowBytes = 10_000
        let harness = try TargetHarness(.v2, settings: settings)
        let session = try #require(harness.carrier.session)
        session.carrier.ping()
        let ping = try #require(try harness.carrier.frames().first { $0.opcode == .ping })
        harness.carrier.advance(.milliseconds(100))
        try harness.carrier.receive(ClientFrame(opcode: 0xA, payload: Array(ping.data.readableBytesView)))
        #expect(session.traffic.windowRoom == 10_000)
        for _ in 0..<3 { try harness.client(.send(self.id, ByteBuffer(repeating: 0, count: 8_000))) }
        #expect(session.traffic.windowRoom == 0, "the window grew")
        try harness.client(.reset(self.id))
        #expect(self.closed(try harness.told()) == .clientClosed)
        #expect(session.traffic.windowRoom == 10_000)
        try harness.finish()
    }

    @Test func withoutCreditAFullTargetStopsTheWebSocket() throws {
        var settings = RelaySettings()
        settings.streamAllowanceBytes = 1000
        let harness = try TargetHarness(.v1, settings: settings)
        harness.head.holdsWrites = true
        try harness.client(.send(self.id, ByteBuffer(repeating: 0, count: 1001)))
        let reads = harness.carrier.head.reads
        try harness.client(.send(self.id, ByteBuffer(repeating: 0, count: 1)))
        #expect(harness.carrier.head.reads == reads)
        harness.head.letGo()
        harness.carrier.advance(.milliseconds(1))
        #expect(harness.carrier.head.reads == reads + 1)
        try harness.finish()
    }
}
