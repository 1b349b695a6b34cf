import Glibc
import NIOCore
import NIOEmbedded
import Testing
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetRelay

/// Commands for sockets that can no longer follow them: those that may have crossed are free, the rest have no effect and count.
@Suite struct LateCommandTests {
    private let id = TargetHarness.id

    /// One message without effect is accepted; the second is too many for a thousand seconds.
    private func harness() throws -> TargetHarness {
        var rules = Policy.Rules()
        rules.allow = [try PolicyEntry("*"), try PolicyEntry("198.51.100.1")]
        rules.limits.refusalsPerSecond = 0.001
        rules.limits.refusalBurst = 1
        return try TargetHarness(.v2, policy: Policy(rules))
    }

    private func isPaused(_ harness: TargetHarness) throws -> Bool {
        try #require(harness.carrier.session).core.allowance.onNode.refusals.pause(now: harness.carrier.clock.now())
            != nil
    }

    /// No honest request counts, and each of the others counts once.
    private func expect(
        _ harness: TargetHarness, free honest: [Request], counted: Request, _ comment: Comment? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for request in honest { try harness.client(request) }
        #expect(try !self.isPaused(harness), comment, sourceLocation: sourceLocation)
        try harness.client(counted)
        #expect(try !self.isPaused(harness), comment, sourceLocation: sourceLocation)
        try harness.client(counted)
        #expect(try self.isPaused(harness), comment, sourceLocation: sourceLocation)
    }

    /// For the node both sides had ended: credit, and each command once, may have crossed that.
    @Test func whatCrossesAnEndIsFreeOnce() throws {
        let ends: [Request] = [.close(self.id), .shutdown(self.id), .reset(self.id)]
        for again in ends {
            let harness = try self.harness()
            harness.target.pipeline.fireErrorCaught(IOError(errnoCode: ECONNRESET, reason: "reset"))
            harness.targetIsGone()
            let credit = (0..<10).map { _ in Request.window(self.id, bytes: 100) }
            try self.expect(harness, free: credit + ends, counted: again, "\(again)")
            try harness.finish()
        }
    }

    /// After five seconds nothing is in transit any more.
    @Test func whatComesLongAfterAnEndCounts() throws {
        for late in [Request.window(self.id, bytes: 1), .close(self.id), .shutdown(self.id), .reset(self.id)] {
            let harness = try self.harness()
            harness.target.pipeline.fireErrorCaught(IOError(errnoCode: ECONNRESET, reason: "reset"))
            harness.targetIsGone()
            harness.carrier.clock.advance(.seconds(6))
            try self.expect(harness, free: [], counted: late, "\(late)")
            try harness.finish()
        }
    }

    /// Nothing crosses an end of the client's own.
    @Test func whatFollowsTheClientsOwnEndCounts() throws {
        for late in [Request.window(self.id, bytes: 1), .close(self.id), .shutdown(self.id), .reset(self.id)] {
            let harness = try self.harness()
            try self.expect(harness, free: [.reset(self.id)], counted: late, "\(late)")
            try harness.finish()
        }
    }

    /// A live socket that cannot follow: it already did, or the command does not exist for it.
    @Test func whatALiveSocketWasToldBeforeCounts() throws {
        let first = try self.harness()
        try self.expect(first, free: [.window(self.id, bytes: 1), .shutdown(self.id)], counted: .shutdown(self.id))
        try first.finish()
        for late in [Request.close(self.id), .shutdown(self.id), .send(self.id, ByteBuffer(string: "x"))] {
            let harness = try self.harness()
            harness.head.holdsWrites = true
            try self.expect(
                harness, free: [.send(self.id, ByteBuffer(string: "stuck")), .close(self.id)], counted: late, "\(late)")
            try harness.finish()
        }
    }

    /// Data and credit of a client that does not yet know that the day's bytes are spent are not its fault.
    @Test func whatCrossesANodesOrderlyEndIsFree() throws {
        let harness = try self.harness()
        harness.head.holdsWrites = true
        try harness.client(.send(self.id, ByteBuffer(string: "stuck")))
        harness.stream.windUp(.byteQuota, "spent")
        for _ in 0..<5 { try harness.client(.send(self.id, ByteBuffer(string: "more"))) }
        try harness.client(.shutdown(self.id))
        #expect(try !self.isPaused(harness))
        try harness.finish()
    }

    /// A client may send after an open without waiting for its answer: only the open has no effect.
    @Test func whatFollowsAnOpenThatIsRefusedAtOnceIsFreeOnce() throws {
        let opens: [Request] = [
            .connect(9, host: "169.254.169.254", port: 80), .connect(9, host: "198.51.100.1", port: 0),
            .connectUDP(9, host: "no name", port: 80), .bind(9, host: "10.9.8.7", port: 80),
        ]
        for open in opens {
            let harness = try self.harness()
            try harness.client(open)
            for _ in 0..<5 { try harness.client(.send(9, ByteBuffer(string: "x"))) }
            try self.expectFree([.shutdown(9), .close(9)], in: harness, "\(open)")
            try harness.client(.close(9))
            #expect(try self.isPaused(harness), "\(open)")
            try harness.finish()
        }
    }

    private func expectFree(_ requests: [Request], in harness: TargetHarness, _ comment: Comment) throws {
        for request in requests { try harness.client(request) }
        #expect(try !self.isPaused(harness), comment)
    }

    /// Neither datagrams nor listeners have credit or halves.
    @Test func creditAndHalvesAreOfStreamsAlone() throws {
        for kind in [SocketKind.udp, .listener] {
            for request in [Request.window(7, bytes: 1), .shutdown(7)] {
                let harness = try self.harness()
                let session = try #require(harness.carrier.session)
                let target = SocketTarget(host: "target", port: 2, transport: .udp)
                let socket: any SessionSocket =
                    kind == .udp
                    ? DatagramSocket(id: 7, encoding: .binary, target: target, context: SocketContext(session))
                    : TargetListener(
                        id: 7, encoding: .binary, address: .four(1), port: 1, context: SocketContext(session))
                session.table.add(socket)
                try self.expect(harness, free: [], counted: request, "\(kind) \(request)")
                try harness.finish()
            }
        }
    }
}
