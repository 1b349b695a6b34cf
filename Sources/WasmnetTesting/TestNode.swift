import Logging
import NIOCore
import NIOPosix
package import Wasmnet
package import WasmnetCluster
package import WasmnetPolicy
package import WasmnetProtocol
package import WasmnetQuota
package import WasmnetRelay

/// A real node in the test's process, on its own port.
package final class TestNode: Sendable {
    package let server: Server
    package let port: Int
    private let task: Task<Void, any Error>

    private init(server: Server, port: Int, task: Task<Void, any Error>) {
        self.server = server
        self.port = port
        self.task = task
    }

    package static func start(
        policy: Policy = .unrestricted, _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) async throws -> TestNode {
        var configuration = ServerConfiguration()
        configuration.port = 0
        configuration.threads = 1
        configuration.policy = policy
        configuration.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        configure(&configuration)
        let server = try Server(configuration: configuration)
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let task = Task {
            defer { port.finish() }
            try await server.listen { port.yield($0.port ?? 0) }
        }
        for await bound in ports { return TestNode(server: server, port: bound, task: task) }
        try await task.value
        throw ChannelError.eof
    }

    package func stop() async {
        self.task.cancel()
        _ = try? await self.task.value
    }

    package var cluster: RedisLedger? { self.server.environment.ledger as? RedisLedger }
    package var ledger: InProcessLedger? { self.server.environment.ledger as? InProcessLedger }

    /// The totals of all clients, once they are `sockets` and `sessions`, or at the latest after ten seconds.
    package func settles(sockets: Int, sessions: Int) async throws -> Bool {
        for _ in 0..<1000 {
            if let totals = self.ledger?.counts, totals.sockets == sockets, totals.sessions == sessions {
                return true
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    /// Runs a body with a node, a target and a client, and ends them all.
    package static func withClient<T>(
        policy: Policy = .unrestricted, version: WireVersion = .v2, target behaviour: TestTarget.Behaviour = .echo,
        resolver: (any NameResolver)? = nil, configure: (inout ServerConfiguration) -> Void = { _ in },
        _ body: (TestNode, TestTarget, TestClient) async throws -> T
    ) async throws -> T {
        let node = try await TestNode.start(policy: policy) {
            $0.resolver = resolver
            configure(&$0)
        }
        let target = try await TestTarget.start(behaviour)
        let client = try await TestClient.connect(port: node.port, version: version)
        if version == .v2 { _ = try await client.next() }  // hello
        do {
            let result = try await body(node, target, client)
            await client.close()
            await target.stop()
            await node.stop()
            return result
        } catch {
            await client.close()
            await target.stop()
            await node.stop()
            throw error
        }
    }
}
