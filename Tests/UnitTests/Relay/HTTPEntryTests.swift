import Foundation
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetRelay

/// The effects of a connection that never became a session.
@Suite struct HTTPEntryTests {
    /// Admits every client; lives as long as it is referenced.
    private final class WatchedAdmission: Admission {
        func admit(
            _ request: AdmissionRequest, policy: Policy, on eventLoop: any EventLoop
        ) -> EventLoopFuture<AdmittedClient> {
            eventLoop.makeSucceededFuture(AdmittedClient(client: ClientID(text: "t:amy"), limits: .unlimited))
        }
    }

    private static let upgrade =
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"

    @Test(arguments: [
        "", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "nonsense\r\n\r\n", upgrade + "\r\n",
        upgrade.replacingOccurrences(of: "13", with: "12") + "\r\n", upgrade + "Content-Length: 9\r\n\r\n",
        upgrade + "Transfer-Encoding: chunked\r\n\r\n",
    ]) func anEndedConnectionLeavesNothing(request: String) throws {
        let ledger = InProcessLedger { .epoch }
        let environment = try RelayEnvironment(
            settings: RelaySettings(), policy: .unrestricted, ledger: ledger, resolver: NoResolver(),
            observer: SilentObserver(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            clock: ManualClock(), nodeName: "node", version: "test")
        weak var admission: WatchedAdmission?
        try self.serve(request, environment) { admission = $0 }
        #expect(admission == nil)
        #expect(ledger.counts.sessions == 0)
    }

    private func serve(
        _ request: String, _ environment: RelayEnvironment, _ watch: (WatchedAdmission) -> Void
    ) throws {
        let admission = WatchedAdmission()
        watch(admission)
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try HTTPEntry.install(on: channel, environment: environment, admission: admission)
        if !request.isEmpty { try channel.writeInbound(ByteBuffer(string: request)) }
        channel.embeddedEventLoop.run()
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// Decides when the test says so.
    private final class HeldAdmission: Admission {
        let promise: EventLoopPromise<AdmittedClient>
        init(_ eventLoop: any EventLoop) { self.promise = eventLoop.makePromise() }
        func admit(
            _ request: AdmissionRequest, policy: Policy, on eventLoop: any EventLoop
        ) -> EventLoopFuture<AdmittedClient> { self.promise.futureResult }
    }

    private func environment(_ ledger: InProcessLedger) throws -> RelayEnvironment {
        try RelayEnvironment(
            settings: RelaySettings(), policy: .unrestricted, ledger: ledger, resolver: NoResolver(),
            observer: SilentObserver(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            clock: ManualClock(), nodeName: "node", version: "test")
    }

    /// The answer to a handshake, from a page that offers v2 or from another client, if the test decides about it meanwhile. The
    /// channel stays open.
    private func answer(
        isPage: Bool, in environment: RelayEnvironment, deciding decide: (EventLoopPromise<AdmittedClient>) -> Void
    ) throws -> (bytes: ByteBuffer, channel: EmbeddedChannel) {
        let channel = EmbeddedChannel()
        let admission = HeldAdmission(channel.embeddedEventLoop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try HTTPEntry.install(on: channel, environment: environment, admission: admission)
        let page = "Origin: https://page.example\r\nSec-WebSocket-Protocol: wasmnet.v2\r\n"
        try channel.writeInbound(ByteBuffer(string: Self.upgrade + (isPage ? page : "") + "\r\n"))
        channel.embeddedEventLoop.run()
        decide(admission.promise)
        channel.embeddedEventLoop.run()
        var bytes = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(part) }
        return (bytes, channel)
    }

    /// Status 503; a page is upgraded instead, and gets 1013 and the word.
    private func expectTryLater(_ bytes: ByteBuffer, _ word: String, isPage: Bool) {
        let text = String(buffer: bytes)
        #expect(text.hasPrefix(isPage ? "HTTP/1.1 101 " : "HTTP/1.1 503 "), "\(text)")
        guard isPage else { return }
        let close = [0x88, UInt8(2 + word.utf8.count), 0x03, 0xF5] + Array(word.utf8)
        #expect(bytes.readableBytesView.suffix(close.count).elementsEqual(close))
    }

    /// The cluster gives no answer: a page must not mistake it for a node that cannot be reached.
    @Test(arguments: [false, true]) func anUnansweredLimitIsToldToAPageToo(isPage: Bool) throws {
        let environment = try self.environment(InProcessLedger { .epoch })
        let (bytes, channel) = try self.answer(isPage: isPage, in: environment) {
            $0.fail(HTTPRefusal(QuotaRefusal.unanswered))
        }
        self.expectTryLater(bytes, "overloaded", isPage: isPage)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// A handshake that is being decided while the drain begins: the drain does not know it, so it must not become a session.
    @Test(arguments: [false, true]) func aDrainMeetsAHandshakeThatIsBeingDecided(isPage: Bool) throws {
        let ledger = InProcessLedger { .epoch }
        let environment = try self.environment(ledger)
        let (bytes, channel) = try self.answer(isPage: isPage, in: environment) { decision in
            #expect(environment.registry.count == 0)
            environment.registry.close()
            decision.succeed(AdmittedClient(client: ClientID(text: "t:amy"), limits: .unlimited))
        }
        self.expectTryLater(bytes, "draining", isPage: isPage)
        #expect(environment.registry.count == 0 && ledger.counts.sessions == 0)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// All heads together are too large: the client with the largest is told to retry, and the others continue.
    @Test func theLargestHeadGivesWayWith503() throws {
        let environment = try self.environment(InProcessLedger { .epoch })
        func connect(_ head: String) throws -> EmbeddedChannel {
            let channel = EmbeddedChannel()
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
            try HTTPEntry.install(on: channel, environment: environment, admission: WatchedAdmission())
            try channel.writeInbound(ByteBuffer(string: head))
            return channel
        }
        let small = try connect("GET / HT")
        let large = try connect(Self.upgrade + "A: " + String(repeating: "x", count: 12 << 10))
        #expect(environment.pending.headBytes > 12 << 10)
        // Others, each smaller than the large one.
        let other = EmbeddedChannel()
        var places: [PendingPlace] = []
        let count = PendingTable.maxHeadBytes / (8 << 10)
        for number in 0..<count {
            let address = IPAddress(v4: (10, 0, UInt8(number >> 13), UInt8(number >> 5 & 255)))
            guard let place = environment.pending.enter(other, from: address) else { break }
            place.set(.unfinished, headBytes: PendingTable.maxHeadBytes / count)
            places.append(place)
        }
        for channel in [large, small] { channel.embeddedEventLoop.run() }
        let answer = try #require(try large.readOutbound(as: ByteBuffer.self))
        #expect(
            String(buffer: answer).hasPrefix("HTTP/1.1 503 ") && String(buffer: answer).contains("Retry-After: 1\r\n"))
        #expect(try small.readOutbound(as: ByteBuffer.self) == nil && small.isActive)
        for place in places { place.leave() }
        for channel in [large, small, other] { _ = try? channel.finish(acceptAlreadyClosed: true) }
        #expect(environment.pending.headBytes == 0)
    }

    /// A connection that was accepted as the drain began.
    @Test func noConnectionEntersOnceTheDrainHasBegun() throws {
        let environment = try self.environment(InProcessLedger { .epoch })
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        environment.pending.drain()
        try HTTPEntry.install(on: channel, environment: environment, admission: WatchedAdmission())
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive && environment.pending.count == 0)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// The last moment: the handshake is complete, and the session begins after the drain has listed the sessions.
    @Test func noSessionBeginsOnceTheRegistryIsClosed() throws {
        let harness = try CarrierHarness(.v2)
        let environment = harness.environment
        environment.registry.close()
        let channel = EmbeddedChannel(loop: harness.loop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        try WebSocketHandler.install(on: channel, settings: environment.settings, clock: harness.clock) {
            let client = ClientID(text: "t:late")
            return Session(
                environment: environment, eventLoop: $1.eventLoop, carrier: $0, version: .v2, client: client,
                allowance: environment.ledger.allowance(for: client, limits: .unlimited), slot: nil)
        }
        harness.loop.run()
        var bytes = ByteBuffer()
        while let part = try channel.readOutbound(as: ByteBuffer.self) { bytes.writeImmutableBuffer(part) }
        #expect(
            bytes.readableBytesView.elementsEqual([0x88, 10, 0x03, 0xF5] + Array("draining".utf8)), "no hello before it"
        )
        #expect(environment.registry.count == 1, "the one that was there")
        _ = try? channel.finish(acceptAlreadyClosed: true)
        try harness.finish()
    }
}
