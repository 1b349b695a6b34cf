import NIOCore
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// An abandoned dial leaves no descriptor behind: the system would keep one for two minutes.
@Suite struct AbandonedDialTests {
    enum End: CaseIterable { case reset, close, session, timeout }

    @Test(arguments: End.allCases) func aDialEndsWithItsSocket(end: End) async throws {
        let silent = try SilentTarget()
        let timeout = end == .timeout ? "connection_timeout_secs = 0.5" : ""
        let rules = try policy("[network]\nallow = [\"127.0.0.1\"]\n\(timeout)")
        try await TestNode.withClient(policy: rules) { _, _, client in
            let sockets = SocketID(1)...10
            for id in sockets { client.send(.connect(id, host: "127.0.0.1", port: silent.port)) }
            if end != .timeout { #expect(try await silent.comesTo(10)) }
            switch end {
            case .reset: for id in sockets { client.send(.reset(id)) }
            case .close: for id in sockets { client.send(.close(id)) }
            case .session: await client.close()
            case .timeout: break
            }
            if end != .session {
                for _ in sockets { _ = try await client.answer() }
            }
            #expect(try await silent.comesTo(0), "\(silent.waiting) are left")
        }
    }

    /// The second address answers while the first does not: the first is given up.
    @Test func theLoserOfARaceIsClosed() async throws {
        let resolver = ScriptedResolver(["both.example": [["127.0.0.2", "127.0.0.1"]]])
        let rules = try policy("[network]\nallow = [\"both.example\", \"127.0.0.1\", \"127.0.0.2\"]")
        // Long enough for the first attempt to be seen, however busy the machine is.
        try await TestNode.withClient(
            policy: rules, resolver: resolver, configure: { $0.settings.connectionAttemptDelay = .seconds(3) }
        ) { _, target, client in
            let silent = try SilentTarget(host: "127.0.0.2", port: UInt16(target.port))
            client.send(.connect(1, host: "both.example", port: silent.port))
            #expect(try await silent.comesTo(1))
            try await client.answer(.connected(1))
            #expect(try await silent.comesTo(0))
        }
    }
}
