import Glibc
import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing
import WasmnetProtocol
import WasmnetTesting

@testable import WasmnetRelay

/// Any order of client and target actions: each byte once and in order, one end, one slot.
@Suite struct TargetStreamWalkTests {
    @Test(arguments: WireVersion.allCases, [121, 122, 123] as [UInt64])
    func aSeededWalkLosesNothing(version: WireVersion, seed: UInt64) throws {
        var random = SeededRandom(seed)
        for round in 0..<60 {
            var walk = try StreamConversation(version)
            for _ in 0..<Int.random(in: 1...30, using: &random) { try walk.step(using: &random) }
            try walk.end()
            let wrong = walk.verdict()
            #expect(wrong == nil, "seed \(seed), round \(round): \(walk.steps)")
            try walk.harness.finish()
            if wrong != nil { return }
        }
    }
}

/// A client and a target, and the data that each must receive.
private struct StreamConversation {
    let harness: TargetHarness
    let version: WireVersion
    private(set) var steps: [String] = []
    private var sentUp: [UInt8] = []
    private var receivedUp: [UInt8] = []
    private var sentDown: [UInt8] = []
    private var receivedDown: [UInt8] = []
    private var ends = 0
    private var closes = 0
    private var toldAfterClosed = 0
    /// The client no longer sends or requests.
    private var clientIsDone = false
    private var clientWantsNoMore = false
    private var targetHasEnded = false
    /// A side aborted: bytes may be lost, but nothing else.
    private var isBroken = false

    init(_ version: WireVersion) throws {
        var settings = RelaySettings()
        settings.firstWindowBytes = 2000
        settings.missedHeartbeats = 1000
        self.version = version
        self.harness = try TargetHarness(version, settings: settings)
    }

    mutating func step(using random: inout SeededRandom) throws {
        let bytes = random.bytes(Int.random(in: 0...300, using: &random))
        switch Int.random(in: 0..<20, using: &random) {
        case 0...4 where !self.clientIsDone && self.sentUp.count - self.receivedUp.count + bytes.count < 500:
            self.steps.append("client sends \(bytes.count)")
            self.sentUp += bytes
            try self.harness.client(.send(TargetHarness.id, ByteBuffer(bytes: bytes)))
        case 5...9 where !self.targetHasEnded && self.harness.target.isActive:
            self.steps.append("target sends \(bytes.count)")
            if !self.clientWantsNoMore { self.sentDown += bytes }
            try self.harness.targetSends(bytes)
        case 10, 11:
            self.steps.append("target stalls")
            self.harness.head.holdsWrites = true
        case 12, 13:
            self.steps.append("target goes on")
            self.harness.head.letGo()
        case 14 where !self.targetHasEnded && self.harness.target.isActive:
            self.steps.append("target ends")
            self.targetHasEnded = true
            self.harness.targetEnds()
        case 15 where self.version == .v2 && !self.clientIsDone:
            self.steps.append("client shuts down")
            self.clientIsDone = true
            try self.harness.client(.shutdown(TargetHarness.id))
        case 16 where !self.clientWantsNoMore && self.closes == 0:
            self.steps.append("client closes")
            (self.clientIsDone, self.clientWantsNoMore) = (true, true)
            try self.harness.client(.close(TargetHarness.id))
        case 17 where self.version == .v2:
            self.steps.append("client grants")
            try self.harness.client(.window(TargetHarness.id, bytes: 300))
        case 18 where Int.random(in: 0..<4, using: &random) == 0 && self.version == .v2:
            self.steps.append("client resets")
            (self.clientIsDone, self.clientWantsNoMore, self.isBroken) = (true, true, true)
            try self.harness.client(.reset(TargetHarness.id))
        case 19 where Int.random(in: 0..<4, using: &random) == 0 && self.harness.target.isActive:
            self.steps.append("target breaks")
            (self.isBroken, self.targetHasEnded) = (true, true)
            self.harness.target.pipeline.fireErrorCaught(IOError(errnoCode: ECONNRESET, reason: "reset"))
            self.harness.targetIsGone()
        default: break
        }
        try self.look()
    }

    /// Reads the output on both sides.
    private mutating func look() throws {
        // NIO closes a channel whose halves have both ended.
        if self.targetHasEnded, self.harness.head.outputCloses > 0, self.harness.target.isActive {
            self.harness.targetIsGone()
        }
        self.receivedUp += try self.harness.received()
        for event in try self.harness.told() {
            if self.closes > 0 { self.toldAfterClosed += 1 }
            switch event {
            case .data(_, let bytes): self.receivedDown += bytes.readableBytesView
            case .end: self.ends += 1
            case .closed:
                self.closes += 1
                self.clientIsDone = true
            default: break
            }
        }
    }

    /// All finish: the target reads and ends, the client reads and closes.
    mutating func end() throws {
        self.harness.head.letGo()
        try self.look()
        if !self.targetHasEnded, self.harness.target.isActive {
            self.targetHasEnded = true
            self.harness.targetEnds()
        }
        try self.look()
        if self.version == .v2 { try self.harness.client(.window(TargetHarness.id, bytes: 1 << 20)) }
        try self.look()
        if self.closes == 0 { try self.harness.client(.close(TargetHarness.id)) }
        try self.look()
    }

    /// The violation, if any. No timer ran: nothing here may have waited for one.
    func verdict() -> String? {
        if self.closes != 1 { return "\(self.closes) times closed" }
        if self.toldAfterClosed > 0 { return "\(self.toldAfterClosed) events after closed" }
        if self.ends > (self.version == .v2 ? 1 : 0) { return "\(self.ends) times end" }
        if self.harness.head.outputCloses > 1 { return "\(self.harness.head.outputCloses) half-closes" }
        if self.harness.slots != 0 || self.harness.target.isActive { return "the slot or the channel is still held" }
        if self.harness.carrier.session?.table.isEmpty != true { return "the session still knows it" }
        if !self.sentUp.starts(with: self.receivedUp) { return "the target got other bytes than were sent" }
        if !self.sentDown.starts(with: self.receivedDown) { return "the client got other bytes than were sent" }
        if self.isBroken { return nil }
        if self.receivedUp.count != self.sentUp.count { return "\(self.receivedUp.count) of \(self.sentUp.count) up" }
        if !self.clientWantsNoMore, self.receivedDown.count != self.sentDown.count {
            return "\(self.receivedDown.count) of \(self.sentDown.count) down"
        }
        return nil
    }
}
