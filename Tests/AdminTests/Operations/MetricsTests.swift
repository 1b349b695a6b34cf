import Foundation
import NIOCore
import NIOHTTP1
import PrometheusMetrics
import Testing
import Wasmnet
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetRelay
import WasmnetTesting

/// Every name has the same public address.
private struct OneAddress: NameResolver {
    func resolve(_ name: HostName, on eventLoop: any EventLoop) -> EventLoopFuture<[IPAddress]> {
        eventLoop.makeSucceededFuture([IPAddress(v4: (203, 0, 113, 9))])
    }
}

extension Operations {
    @Suite struct MetricsTests {
        @Test func whatClientsDoIsCounted() async throws {
            try await TestNode.withAdmin { node, admin in
                let target = try await TestTarget.start(.echo)
                let client = try await TestClient.open(node)
                try await client.connect(1, to: target)
                client.send(.send(1, ByteBuffer(string: "hello")))
                let echoed = try await client.expect(.data(1))
                #expect(String(buffer: echoed) == "hello")
                try await admin.shows("wasmnet_sessions", 1)
                try await admin.shows(#"wasmnet_sockets{kind="tcp"}"#, 1)
                try await admin.shows(#"wasmnet_opens_total{kind="tcp",outcome="ok"}"#, 1)
                try await admin.shows(#"wasmnet_bytes_total{direction="up"}"#, 5)
                try await admin.shows(#"wasmnet_bytes_total{direction="down"}"#, 5)
                try await admin.shows("wasmnet_dial_duration_seconds_count", 1)
                client.send(.close(1))
                #expect(try await client.nextEnd().1 == .clientClosed)
                client.send(.connect(2, host: "127.0.0.1", port: 1))
                #expect(try await client.nextEnd().1 == .refused)
                try await admin.shows(#"wasmnet_closes_total{reason="client_closed"}"#, 1)
                try await admin.shows(#"wasmnet_opens_total{kind="tcp",outcome="refused"}"#, 1)
                try await admin.shows(#"wasmnet_sockets{kind="tcp"}"#, 0)
                await client.close()
                try await admin.shows("wasmnet_sessions", 0)
                await target.stop()
            }
        }

        /// Labels are from closed lists: no client can make a node's metrics grow.
        @Test func tenThousandClientsAndHostsMakeNoSeries() async throws {
            let policy = try TestNode.policy(
                """
                [network]
                deny = ["*"]
                [clients]
                trusted_proxies = ["127.0.0.1"]
                """)
            try await TestNode.withAdmin(policy: policy, configure: { $0.resolver = OneAddress() }) { node, admin in
                func series() async throws -> Int {
                    try await admin.text("/metrics").split(separator: "\n").count { !$0.hasPrefix("#") }
                }
                let before = try await series()
                let (clients, width) = (10_000, 16)
                try await withThrowingTaskGroup(of: Void.self) { tasks in
                    for lane in 0..<width {
                        tasks.addTask {
                            for number in stride(from: lane, to: clients, by: width) {
                                let address = "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
                                let client = try await TestClient.open(node, headers: ["X-Forwarded-For": address])
                                client.send(.connect(1, host: "h\(number).test", port: 443))
                                #expect(try await client.nextEnd().1 == .policyDenied)
                                await client.close()
                            }
                        }
                    }
                    try await tasks.waitForAll()
                }
                try await admin.shows(#"wasmnet_opens_total{kind="tcp",outcome="policy_denied"}"#, Double(clients))
                try await admin.shows(#"wasmnet_session_opens_total{outcome="admitted"}"#, Double(clients))
                #expect(try await series() == before)
            }
        }

        @Test func connectionsThatHadToGoAreCounted() async throws {
            try await TestNode.withAdmin { node, admin in
                var idle: [RawClient] = []
                for _ in 0..<66 { idle.append(try await RawClient.connect(port: node.port)) }
                try await admin.shows("wasmnet_pending_connections_dropped_total", 2)
                try await admin.shows("wasmnet_pending_connections", 64)
                for client in idle { await client.close() }
                try await admin.shows("wasmnet_pending_connections", 0)
            }
        }

        @Test func anOutageShowsHowLongItLastsAndWhatIsOpenWithoutAGrant() async throws {
            let policy = try TestNode.policy("[network]\nallow = [\"127.0.0.1\"]\nmax_connections = 8")
            let target = try await TestTarget.start(.echo)
            try await withServer { redis in
                try await TestNode.withAdmin(
                    policy: policy,
                    configure: {
                        $0.redis = RedisOptions(url: "redis://127.0.0.1:\(redis.port)")
                        $0.redis?.outageSeconds = 1
                    }
                ) { node, admin in
                    let client = try await TestClient.open(node)
                    try await client.connect(1, to: target)
                    try await admin.shows("wasmnet_lease_slots{state=\"used\"}", 1)
                    try await admin.shows("wasmnet_redis_outage_seconds", 0)
                    redis.pause()
                    while try await admin.metric("wasmnet_redis_outage_seconds") == 0 {
                        try await Task.sleep(for: .milliseconds(50))
                    }
                    for id in 2...5 { try await client.connect(SocketID(id), to: target) }
                    while try await admin.metric("wasmnet_lease_slots{state=\"loose\"}") == 0 {
                        try await Task.sleep(for: .milliseconds(50))
                    }
                    redis.resume()
                    try await admin.shows("wasmnet_redis_outage_seconds", 0)
                    try await admin.shows("wasmnet_lease_slots{state=\"loose\"}", 0)
                    await client.close()
                }
            }
            await target.stop()
        }

        @Test func promtoolFindsNothingToSay() async throws {
            try await TestNode.withAdmin { _, admin in
                let text = try await admin.text("/metrics")
                let (status, said) = try await ChildProgram.run(
                    "/usr/bin/promtool", ["check", "metrics"], input: text)
                #expect(status == 0 && said.isEmpty, "\(said)")
            }
        }

        /// Only documented metrics are exposed, and a node of a cluster exposes all of them.
        @Test func theNamesAreThoseOfOneFile() async throws {
            let redis = try await RedisServer.start()
            try await TestNode.withAdmin(configure: { $0.redis = RedisOptions(url: "redis://127.0.0.1:\(redis.port)") })
            {
                _, admin in
                let text = try await admin.text("/metrics")
                let exposed = Set(
                    text.split(separator: "\n").filter { $0.hasPrefix("# TYPE wasmnet_") }.map {
                        String($0.split(separator: " ")[2])
                    })
                #expect(exposed == Set(MetricNames.descriptions.map(\.name)))
                #expect(text.split(separator: "\n").filter { $0.hasPrefix("# HELP wasmnet_") }.count == exposed.count)
            }
            await redis.stop()
        }
    }
}
