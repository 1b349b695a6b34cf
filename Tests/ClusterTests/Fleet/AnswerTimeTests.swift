import NIOCore
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetTesting

extension Cluster {
    @Suite struct AnswerTimeTests {
        private static let policy = """
            [network]
            allow = ["127.0.0.1"]
            max_connections = 0
            [limits]
            connects_per_sec = 100
            """

        /// `--redis-timeout`: a connect waits that long for a Redis that is silent, and then takes from the node's own budget.
        @Test(arguments: [(10, false), (600, true)])
        func aConnectWaitsForRedisAsLongAsTheOptionSays(timeoutMilliseconds: Int, isLong: Bool) async throws {
            let target = try await TestTarget.start(.echo)
            try await withServer { redis in
                try await FaultProxy.with(port: redis.port) { proxy in
                    let node = try await Fleet.node(Self.policy, url: "redis://127.0.0.1:\(proxy.port)") {
                        $0.redis?.timeoutMilliseconds = timeoutMilliseconds
                    }
                    let client = try await TestClient.connect(port: node.port)
                    try await client.expect(.hello)
                    let start = ContinuousClock.now
                    proxy.set(.silence)
                    client.send(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
                    try await client.expect(.connected(1))
                    let wait = ContinuousClock.now - start
                    #expect((wait >= .milliseconds(500)) == isLong, "\(wait)")
                    // Answers are missing: only a new connection is of use.
                    proxy.set(.none)
                    proxy.cut()
                    await client.close()
                    await node.stop()
                }
            }
            await target.stop()
        }
    }
}
