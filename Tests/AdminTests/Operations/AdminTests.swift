import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetTesting

extension Operations {
    @Suite struct AdminTests {
        private static let limits = """
            [network]
            allow = ["127.0.0.0/8"]
            max_connections = 2
            [limits]
            connects_per_sec = 1000
            """

        private func items(_ page: [String: Any]) -> [[String: Any]] { page["items"] as? [[String: Any]] ?? [] }

        private func limit(_ name: String, in report: [String: Any]) -> [String: Any] {
            (report["limits"] as? [String: Any])?[name] as? [String: Any] ?? [:]
        }

        private func sockets(in report: [String: Any]) -> Int? {
            self.limit("max_connections", in: report)["used"] as? Int
        }

        @Test func sessionsAndSocketsAreListedAndEnded() async throws {
            let target = try await TestTarget.start(.echo)
            try await TestNode.withAdmin { node, admin in
                let clients = [try await TestClient.open(node), try await TestClient.open(node)]
                for client in clients { for id in SocketID(1)...3 { try await client.connect(id, to: target) } }
                let sessions = self.items(try await admin.ask(.GET, "/v1/sessions"))
                #expect(sessions.count == 2)
                #expect(sessions.allSatisfy { $0["client"] as? String == "a:127.0.0.1" && $0["sockets"] as? Int == 3 })
                // By pages of two: all six, each once.
                var seen: [String] = []
                var cursor: String?
                repeat {
                    let query = cursor.map { "&cursor=\($0)" } ?? ""
                    let page = try await admin.ask(.GET, "/v1/sockets?limit=2\(query)")
                    seen += self.items(page).map { "\($0["session"] ?? "").\($0["id"] ?? "")" }
                    cursor = page["next"] as? String
                } while cursor != nil
                #expect(seen.count == 6 && Set(seen).count == 6)
                let place = "127.0.0.1:\(target.port)"
                let socket = try #require(
                    self.items(try await admin.ask(.GET, "/v1/sockets?destination=\(place)")).first)
                #expect(socket["kind"] as? String == "tcp" && socket["state"] as? String == "open")
                #expect(self.items(try await admin.ask(.GET, "/v1/sockets?destination=10.0.0.1")).isEmpty)

                let (session, id) = ("\(socket["session"] ?? "")", "\(socket["id"] ?? "")")
                try await admin.ask(.DELETE, "/v1/sockets/\(session)/\(id)", status: 204)
                try await admin.ask(.DELETE, "/v1/sockets/\(session)/99", status: 404)
                try await admin.ask(.DELETE, "/v1/sessions/\(session)", status: 204)
                try await admin.ask(.DELETE, "/v1/sessions/nobody", status: 404)
                try await admin.shows("wasmnet_sessions", 1)
                try await admin.shows(#"wasmnet_closes_total{reason="policy_denied"}"#, 3)
                for client in clients { await client.close() }
            }
            await target.stop()
        }

        @Test func limitsOfOneClientAreSetAndEnd() async throws {
            let target = try await TestTarget.start(.echo)
            try await TestNode.withAdmin(policy: try TestNode.policy(Self.limits)) { node, admin in
                let path = "/v1/quota/a:127.0.0.1"
                try await admin.ask(.GET, path, status: 404)
                let client = try await TestClient.open(node)
                try await client.connect(1, to: target)
                try await client.connect(2, to: target)
                client.send(.connect(3, host: "127.0.0.1", port: UInt16(target.port)))
                #expect(try await client.nextEnd().1 == .maxConnections)
                #expect(self.sockets(in: try await admin.ask(.GET, path)) == 2)
                try await admin.ask(.PUT, path, #"{"max_connections": 4, "ttl_seconds": 3600}"#)
                try await client.connect(4, to: target)
                let report = try await admin.ask(.GET, path)
                let limit = self.limit("max_connections", in: report)
                #expect(limit["limit"] as? Int == 4 && limit["from"] as? String == "override")
                #expect(report["overrides_end"] as? String != nil)
                let holders = try #require(report["holders"] as? [[String: Any]])
                #expect(holders.count == 1 && holders[0]["sockets"] as? Int == 3 && holders[0]["sessions"] as? Int == 1)
                // A new policy keeps the client's overrides.
                node.server.replacePolicy(try TestNode.policy(Self.limits))
                try await client.connect(5, to: target)
                try await admin.ask(.DELETE, path, status: 204)
                try await admin.ask(.DELETE, path, status: 404)
                client.send(.connect(6, host: "127.0.0.1", port: UInt16(target.port)))
                #expect(try await client.nextEnd().1 == .maxConnections)
                for (body, code) in [
                    (#"{"max_connections": 0}"#, UInt(422)), (#"{"bytes_per_day": 5}"#, 422),
                    (#"{"ttl_seconds": 5}"#, 422),
                    (#"{"max_connections": 5, "ttl_seconds": 0}"#, 422), (#"{"what": 5}"#, 422), ("{", 400),
                ] { try await admin.ask(.PUT, path, body, status: code) }
                await client.close()
            }
            await target.stop()
        }

        @Test func theSameInRedisHoldsForAllNodes() async throws {
            let (redis, target) = (try await RedisServer.start(), try await TestTarget.start(.echo))
            let url = "redis://127.0.0.1:\(redis.port)"
            let policy = try TestNode.policy(Self.limits)
            try await TestNode.withAdmin(policy: policy, configure: { $0.redis = RedisOptions(url: url) }) {
                one, admin in
                try await TestNode.withAdmin(policy: policy, configure: { $0.redis = RedisOptions(url: url) }) {
                    other, otherAdmin in
                    let path = "/v1/quota/a:127.0.0.1"
                    let client = try await TestClient.open(other)
                    try await client.connect(1, to: target)
                    try await client.connect(2, to: target)
                    #expect(self.sockets(in: try await admin.ask(.GET, path)) == 2)
                    try await admin.ask(.PUT, path, #"{"max_connections": 3}"#)
                    // A node that has just been told that there is no more asks again a quarter of a second later.
                    var isOpen = false
                    for id in SocketID(10)...50 where !isOpen {
                        isOpen = (try? await client.connect(id, to: target)) != nil
                        if !isOpen { try await Task.sleep(for: .milliseconds(50)) }
                    }
                    #expect(isOpen)
                    client.send(.connect(4, host: "127.0.0.1", port: UInt16(target.port)))
                    #expect(try await client.nextEnd().1 == .maxConnections)
                    #expect(self.sockets(in: try await otherAdmin.ask(.GET, path)) == 3)
                    await client.close()
                }
                _ = one
            }
            await target.stop()
            await redis.stop()
        }

        /// Each limit with its maximum and the smallest value above it.
        private static let ranges: [(name: String, most: String, above: String)] = [
            ("max_sessions", "1000000", "1000001"), ("max_connections", "1000000", "9223372036854775807"),
            ("connects_per_sec", "1000000", "1000000.5"), ("resolves_per_sec", "1000000", "1e300"),
            ("max_bandwidth_mbps", "1000000", "1000000.000008"),
            ("bytes_per_day", "9007199254740992", "9007199254740993"),
        ]

        @Test(arguments: [false, true]) func noLimitBeyondItsRangeIsSet(inRedis: Bool) async throws {
            let redis = inRedis ? try await RedisServer.start() : nil
            let policy = try TestNode.policy(
                """
                [network]
                max_bandwidth_mbps = 1
                [limits]
                max_sessions = 1
                connects_per_sec = 1
                resolves_per_sec = 1
                bytes_per_day = 1
                """)
            let options = redis.map { RedisOptions(url: "redis://127.0.0.1:\($0.port)") }
            try await TestNode.withAdmin(policy: policy, configure: { $0.redis = options }) { _, admin in
                let path = "/v1/quota/a:192.0.2.7"
                for (name, most, above) in Self.ranges {
                    try await admin.ask(.PUT, path, "{\"\(name)\": 18446744073709551616}", status: 422)
                    for value in [above, "0", "9223372036854775807"] {
                        let answer = try await admin.ask(.PUT, path, "{\"\(name)\": \(value)}", status: 422)
                        let message = (answer["error"] as? [String: Any])?["message"] as? String ?? ""
                        #expect(message.hasPrefix(name) && message.contains(", not "), "\(value): \(message)")
                    }
                    try await admin.ask(.GET, path, status: 404)
                    let answer = try await admin.ask(.PUT, path, "{\"\(name)\": \(most)}")
                    let limit = self.limit(name, in: answer)
                    #expect("\(limit["limit"] ?? "")" == most && limit["from"] as? String == "override")
                    try await admin.ask(.DELETE, path, status: 204)
                }
                for (rate, burst, above) in [
                    ("connects_per_sec", "connect_burst", "1000001"), ("resolves_per_sec", "resolve_burst", "0"),
                    ("max_bandwidth_mbps", "byte_burst", "4294967297"),
                ] { try await admin.ask(.PUT, path, "{\"\(rate)\": 1, \"\(burst)\": \(above)}", status: 422) }
                // The client is the same in any spelling.
                #expect(
                    try await admin.ask(.PUT, "/v1/quota/::ffff:192.0.2.7", #"{"max_sessions": 5}"#)["client"]
                        as? String
                        == "a:192.0.2.7")
                try await admin.ask(.DELETE, path, status: 204)
                // Any name that a token can have, and no other.
                let named = "/v1/quota/t:Jos%C3%A9%20O'Brien%20%2F%2025%25"
                #expect(
                    try await admin.ask(.PUT, named, #"{"max_sessions": 5}"#)["client"] as? String
                        == "t:Jos\u{E9} O'Brien / 25%")
                try await admin.ask(.DELETE, "/v1/quota/t:Jose%CC%81%20O'Brien%20%2F%2025%25", status: 404)
                try await admin.ask(.DELETE, named, status: 204)
                for bad in ["t:", "t:a%0Ab", "t:%C2%9B", "t:" + String(repeating: "x", count: 257), "x:y"] {
                    try await admin.ask(.GET, "/v1/quota/\(bad)", status: 422)
                }
            }
            await redis?.stop()
        }

        /// It serves, by the policy's `redis_failure`: a balancer must not consider it broken.
        @Test func aNodeThatStartedWithoutRedisIsReadyAndSaysThatItIsAlone() async throws {
            let port = try await RedisServer.freePort()
            try await TestNode.withAdmin(configure: {
                $0.redis = RedisOptions(url: "redis://127.0.0.1:\(port)")
                $0.redis?.isOptional = true
                $0.redis?.outageSeconds = 3
            }) { _, admin in
                func details() async throws -> [String] {
                    let checks = try #require(try await admin.ask(.GET, "/readyz")["checks"] as? [[String: Any]])
                    return checks.compactMap { $0["detail"] as? String }
                }
                #expect(
                    try await details() == [
                        "the denylist was not read yet",
                        "there is no connection to Redis; after --redis-outage limits go by redis_failure",
                    ])
                while try await details().last?.wholeMatch(
                    of: #/limits go by redis_failure \(static\) for [1-9][0-9]* s: Redis does not answer/#) == nil
                {
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
        }

        /// What makes a Redis refuse, what ends it, and its error's code.
        private static let refusals = [
            (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"], "OOM"),
            (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"], "READONLY"),
        ]

        /// A Redis that answers with an error is up: an operator must not look for a broken connection.
        @Test(arguments: refusals) func anOutageByRefusalIsCalledThat(
            begin: [String], end: [String], code: String
        ) async throws {
            try await withServer { redis in
                try await TestNode.withAdmin(configure: {
                    $0.redis = RedisOptions(url: "redis://127.0.0.1:\(redis.port)")
                    $0.redis?.outageSeconds = 3
                }) { _, admin in
                    func detail() async throws -> String? {
                        let checks = try #require(try await admin.ask(.GET, "/readyz")["checks"] as? [[String: Any]])
                        return checks.last?["detail"] as? String
                    }
                    #expect(try await redis.says(begin) == "OK\n")
                    while try await detail()?.wholeMatch(
                        of:
                            #/limits go by redis_failure \(static\) for [1-9][0-9]* s: Redis refuses the nodes' commands \((.*)\)/#
                    )?.1 != code[...] {
                        try await Task.sleep(for: .milliseconds(100))
                    }
                    #expect(try await redis.says(end) == "OK\n")
                    while try await detail() != nil { try await Task.sleep(for: .milliseconds(100)) }
                }
            }
        }

        @Test func aDrainIsToldToItsEnd() async throws {
            let target = try await TestTarget.start(.echo)
            try await TestNode.withAdmin { node, admin in
                try await admin.ask(.GET, "/readyz")
                let client = try await TestClient.open(node)
                try await client.connect(1, to: target)
                let report = try await admin.ask(.POST, "/v1/drain", status: 202)
                #expect(report["sessions"] as? Int == 1)
                try await client.expect(.goaway)
                let ready = try await admin.ask(.GET, "/readyz", status: 503)
                #expect(ready["ready"] as? Bool == false)
                try await admin.shows("wasmnet_draining", 1)
                client.send(.send(1, ByteBuffer(string: "x")))
                try await client.expect(.data(1))
                client.send(.close(1))
                #expect(try await client.nextEnd().1 == .clientClosed)
                #expect(try await client.next() == .close(code: 1001, reason: "draining"))
            }
            await target.stop()
        }

        @Test func theLogsLevelIsSet() async throws {
            let log = LogLines()
            let level = NIOLockedValueBox(Logger.Level.info)
            try await TestNode.withAdmin(configure: {
                $0.logger = log.logger()
                $0.logLevel = .init(
                    get: { level.withLockedValue { $0 } }, set: { new in level.withLockedValue { $0 = new } })
            }) { _, admin in
                #expect(try await admin.ask(.GET, "/v1/log-level")["level"] as? String == "info")
                try await admin.ask(.PUT, "/v1/log-level", #"{"level": "debug"}"#)
                #expect(level.withLockedValue { $0 } == .debug)
                try await admin.ask(.PUT, "/v1/log-level", #"{"level": "loud"}"#, status: 422)
                let line = try await log.line("admin change")
                #expect(line.metadata["operation"] == "log.set" && line.metadata["subject"] == "debug")
            }
            try await TestNode.withAdmin { _, admin in
                try await admin.ask(.PUT, "/v1/log-level", #"{"level": "debug"}"#, status: 503)
            }
        }

        @Test func itIsOutOfClientsReach() async throws {
            try await TestNode.withAdmin { node, admin in
                let client = try await TestClient.open(node)
                let port = try #require(admin.base.split(separator: ":").last.flatMap { UInt16($0) })
                client.send(.connect(1, host: "127.0.0.1", port: port))
                #expect(try await client.nextEnd().1 == .policyDenied)
                await client.close()
            }
        }

        @Test func aPortThatIsTakenIsAClearError() async throws {
            let taken = try await TestTarget.start(.deaf)
            await #expect(throws: StartError.self) {
                _ = try await TestNode.start { $0.admin = AdminOptions(port: taken.port) }
            }
            await #expect(throws: ConfigurationError.self) {
                _ = try await TestNode.start { $0.admin = AdminOptions(host: "0.0.0.0", port: 0) }
            }
            await taken.stop()
        }
    }
}
