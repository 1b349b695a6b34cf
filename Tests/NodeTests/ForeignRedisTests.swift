import Foundation
import Testing
import WasmnetCluster
import WasmnetQuota
import WasmnetTesting

extension NodeTests {
    /// A Redis with data that no node wrote.
    @Suite struct ForeignRedisTests {
        private static let client = ClientID(text: "a:192.0.2.7")
        private static let (most, least) = ("\(Int64.max)", "\(Int64.min)")

        private func write(_ port: Int, _ words: [String]) async throws {
            let (status, output) = try await ChildProgram.run("redis-cli", ["-p", "\(port)"] + words)
            #expect(status == 0 && !output.contains("ERR"), "\(words) \(output)")
        }

        private func asks(_ port: Int, _ arguments: [String], expecting words: String) async throws {
            for arguments in [arguments, arguments + ["--json"]] {
                let (status, output, errors) = try await NodeProcess.run(
                    arguments, environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(port)"])
                #expect(status == 0 && output.contains(words), "\(status) \(output) \(errors)")
            }
        }

        @Test func nodesWithNumbersOutOfTheirRangeAreLeftOut() async throws {
            try await withServer { redis in
                for (id, sockets, started) in [
                    ("a", Self.most, "0"), ("b", "1", Self.most), ("c", "1", Self.least), ("d", Self.least, "0"),
                    ("aa", Self.most, "0"), ("dd", Self.least, "0"),
                    ("sound", "3", "0"),
                ] {
                    try await self.write(redis.port, ["ZADD", "wn:{nodes}:all", "9e15", id])
                    let fields = ["name", id, "address", "127.0.0.1:1", "version", "1", "state", "serving"]
                    try await self.write(
                        redis.port,
                        ["HSET", "wn:{nodes}:n:\(id)"] + fields
                            + ["sessions", "2", "sockets", sockets, "started", started, "seen", "0"])
                }
                try await self.asks(redis.port, ["cluster"], expecting: "sound")
            }
        }

        @Test func anAccountWithNumbersOutOfTheirRangeIsShown() async throws {
            try await withServer { redis in
                let leases = RedisKeys.leases(.socket, of: Self.client)
                let prefix = String(leases.dropLast("lc:\(Self.client.text)".count))
                func key(_ kind: String) -> String { "\(prefix)\(kind):\(Self.client.text)" }
                for epoch in ["x-1", "x-2", "y-1"] {
                    try await self.write(redis.port, ["ZADD", "\(prefix)e", "9e15", epoch])
                    for kind in ["ls", "lc"] {
                        try await self.write(redis.port, ["HSET", key(kind), epoch, "0 \(Self.most)"])
                    }
                }
                for kind in ["rc", "rr"] { try await self.write(redis.port, ["SET", key(kind), Self.least]) }
                try await self.write(redis.port, ["SET", key("b"), "\(Self.least) \(Self.most)"])
                try await self.write(redis.port, ["HSET", key("d"), "day", Self.most, "used", Self.least])
                try await self.asks(redis.port, ["quota", "show", "192.0.2.7"], expecting: "192.0.2.7")
                let today = "\(Int64(Date().timeIntervalSince1970) / 86_400)"
                try await self.write(redis.port, ["HSET", key("d"), "day", today, "used", Self.least])
                let limits = ["max_sessions", Self.most, "connects_interval", Self.most, "connects_burst", Self.most]
                try await self.write(redis.port, ["HSET", key("o")] + limits)
                try await self.asks(redis.port, ["quota", "show", "192.0.2.7"], expecting: "192.0.2.7")
            }
        }
    }
}
