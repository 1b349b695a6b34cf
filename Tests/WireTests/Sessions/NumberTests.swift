import NIOCore
import Testing
import Wasmnet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting
import WasmnetQuota

/// Numbers that a program which embeds the node passes to it.
@Suite struct NumberTests {
    private static let wrong: [(@Sendable (inout ServerConfiguration) -> Void, String)] = [
        ({ $0.settings.readChunkBytes = -1 }, "readChunkBytes is 1 to"),
        ({ $0.settings.maxMessageBytes = .min }, "maxMessageBytes is 1 to"),
        ({ $0.settings.maxDatagramBytes = 1 << 20 }, "maxDatagramBytes is 1 to 65507"),
        ({ $0.settings.missedHeartbeats = .max }, "missedHeartbeats is 1 to 1000"),
        ({ $0.settings.heartbeat = .nanoseconds(.max) }, "heartbeat is 1000000 to 86400000000000, not"),
        ({ $0.settings.linger = .nanoseconds(.min) }, "linger is 0 to"),
        ({ $0.settings.maxTiedAddresses = -1 }, "maxTiedAddresses is 0 to 1073741824"),
        ({ $0.drainTimeoutSeconds = .infinity }, "0 to 86400"),
        ({ $0.drainTimeoutSeconds = .nan }, "0 to 86400"),
        ({ $0.accessLogSample = .nan }, "0 to 1"),
        ({ $0.threads = .max }, "0 to 1024"),
        ({ $0.port = .max }, "0 to 65535"),
        (
            {
                $0.redis = RedisOptions(url: "redis://127.0.0.1:1")
                $0.redis?.timeoutMilliseconds = .max
            }, "10 to 1000 ms"
        ),
        ({ $0.policy = Self.endless }, "connectionTimeoutSeconds is 0.1 to 3600"),
    ]

    private static var endless: Policy {
        var rules = Policy.Rules()
        rules.allow = (try? [PolicyEntry("127.0.0.1")]) ?? []
        rules.limits.idleTimeoutSeconds = .infinity
        rules.limits.connectionTimeoutSeconds = .infinity
        return Policy(rules)
    }

    @Test(arguments: Self.wrong.indices) func aNumberOutOfItsRangeIsAnErrorWithTheRange(index: Int) {
        let (change, words) = Self.wrong[index]
        var configuration = ServerConfiguration()
        change(&configuration)
        #expect { try Server(configuration: configuration) } throws: { error in
            (error as? ConfigurationError)?.description.contains(words) == true
        }
    }

    @Test(arguments: [Double.infinity, .nan, -1, 1e9]) func aBandwidthOutOfItsRangeIsAnError(megabits: Double) {
        #expect(throws: ConfigurationError.self) { try Server.builder().maxBandwidthMbps(megabits).build() }
        let file = ServerConfiguration.PolicySource(path: "policy.toml", maxBandwidthMbps: megabits)
        #expect { try file.load() } throws: { "\($0)".contains("0 to 1000000") }
    }

    /// A policy that replaces another cannot be refused: it is clamped to its ranges, and nothing traps.
    @Test func endlessTimesOfALaterPolicyAreTheLongestThereAre() async throws {
        let target = try await TestTarget.start(.echo)
        let node = try await TestNode.start()
        node.server.replacePolicy(Self.endless)
        let client = try await TestClient.connect(port: node.port)
        _ = try await client.next()
        try await client.connect(1, port: target.port)
        #expect(try await client.echoes(1, "still there"))
        client.send(.resolve(2, name: "localhost"))
        await client.close()
        await node.stop()
        await target.stop()
    }
}
