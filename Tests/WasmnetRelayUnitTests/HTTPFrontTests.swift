import Foundation
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetRelay

/// What a connection leaves behind that never became a session.
@Suite struct HTTPFrontTests {
    /// Lets everyone in; lives as long as somebody refers to it.
    private final class WatchedAdmission: Admission {
        func admit(
            _ request: AdmissionRequest, policy: Policy, on eventLoop: any EventLoop
        ) -> EventLoopFuture<Admitted> {
            eventLoop.makeSucceededFuture(Admitted(client: ClientID(text: "t:amy"), limits: .unlimited))
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
            clock: TestClock(), nodeName: "node", version: "test")
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
        try HTTPFront.install(on: channel, environment: environment, admission: admission)
        if !request.isEmpty { try channel.writeInbound(ByteBuffer(string: request)) }
        channel.embeddedEventLoop.run()
        channel.close(promise: nil)
        channel.embeddedEventLoop.run()
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }
}
