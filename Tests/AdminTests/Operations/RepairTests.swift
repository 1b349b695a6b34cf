import Logging
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetTesting

extension Operations {
    @Suite struct RepairTests {
        private static let words =
            "keys in Redis had a type that this node does not use, and were removed: what they counted starts again from zero"

        /// An operator sees which key it was, and no line for each request that met it.
        @Test func aKeyOfAnotherTypeIsOneLineThatNamesIt() async throws {
            let log = LogLines()
            let target = try await TestTarget.start(.echo)
            try await withServer { redis in
                let policy = try TestNode.policy("[network]\nallow = [\"127.0.0.1\"]\nmax_connections = 9")
                try await TestNode.withAdmin(
                    policy: policy,
                    configure: {
                        $0.logger = log.logger()
                        $0.redis = RedisOptions(url: "redis://127.0.0.1:\(redis.port)")
                    }
                ) { node, _ in
                    let client = try await TestClient.open(node)
                    try await client.connect(1, to: target)
                    let key = String(try await redis.says(["KEYS", "wn:*:lc:*"]).prefix { !$0.isNewline })
                    #expect(try await redis.says(["SET", key, "nonsense"]) == "OK\n")
                    // More than the node may open without Redis.
                    for id in SocketID(2)...9 { try await client.connect(id, to: target) }
                    let line = try await log.line(Self.words)
                    #expect(line.level == .warning && line.metadata["removed"] == "1")
                    let among = line.metadata["among"] ?? ""
                    #expect(among.split(separator: " ").contains(Substring(key)), "\(key) in \(among)")
                    #expect(log.lines(Self.words).count == 1)
                    #expect(try await redis.says(["TYPE", key]) == "hash\n")
                    await client.close()
                }
            }
            await target.stop()
        }
    }
}
