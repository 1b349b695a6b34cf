import NIOCore
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

@Suite struct LifetimeTests {
    private final class Weak {
        weak var environment: RelayEnvironment?
    }

    /// An embedder may start and stop as many servers as it likes.
    @Test(arguments: [0, 1, 2]) func aStoppedServerIsFreed(sockets: Int) async throws {
        let weak = Weak()
        try await TestNode.withClient { node, target, client in
            weak.environment = node.server.environment
            for id in 0..<sockets {
                client.send(.connect(SocketID(id + 1), host: "127.0.0.1", port: UInt16(target.port)))
                try await client.expect(.connected())
            }
        }
        for _ in 0..<500 where weak.environment != nil { try await Task.sleep(for: .milliseconds(10)) }
        #expect(weak.environment == nil)
    }
}
