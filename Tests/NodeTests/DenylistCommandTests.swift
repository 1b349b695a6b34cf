import Foundation
import Testing
import WasmnetTesting

extension NodeTests {
    /// `wasmnet-node denylist` against a real Redis and against a single node.
    @Suite struct DenylistCommandTests {
        private typealias Place = [String]

        private func run(_ place: Place, _ arguments: [String], input: String? = nil) async throws -> String {
            let (status, output, errors) = try await NodeProcess.run(
                ["denylist"] + arguments + place, input: input)
            #expect(status == 0, "\(arguments): \(errors)")
            return output
        }

        private func complains(
            _ place: Place, _ arguments: [String], _ words: String, input: String? = nil, status expected: Int32 = 2
        ) async throws {
            let (status, _, errors) = try await NodeProcess.run(["denylist"] + arguments + place, input: input)
            #expect(status == expected && errors.contains(words), "\(arguments): \(status) \(errors)")
        }

        /// The same commands for both places of the list.
        private func converse(_ place: Place) async throws {
            #expect(try await self.run(place, ["list"]) == "The denylist is empty.\n")
            #expect(
                try await self.run(
                    place, ["add", "203.0.113.7", "*.Example.org.:25", "--reason", "spam", "--ttl", "1h"]
                )
                .hasPrefix("2 entries changed"))
            #expect(try await self.run(place, ["add", "client:t:eve"]).hasPrefix("1 entry changed"))
            let table = try await self.run(place, ["list"])
            #expect(table.contains("*.example.org:25") && table.contains("spam") && table.contains("client:t:eve"))
            let json = try JSONSerialization.jsonObject(with: Data(try await self.run(place, ["list", "--json"]).utf8))
            #expect((json as? [[String: Any]])?.count == 3)
            let exported = try await self.run(place, ["export"])
            #expect(exported.split(separator: "\n").count == 3 && exported.contains("until="))
            #expect(try await self.run(place, ["remove", "203.0.113.7", "10.9.8.7"]).hasPrefix("1 entry changed"))
            // An invalid file changes nothing; an exported list is imported completely.
            try await self.complains(place, ["import", "-"], "standard input:2: ", input: "10.0.0.1\n10.0.0.0/99\n")
            _ = try await self.run(place, ["import", "-"], input: exported)
            #expect(try await self.run(place, ["export"]).split(separator: "\n").count == 3)
            _ = try await self.run(place, ["import", "-", "--replace"], input: "10.0.0.0/8 # ours\n")
            #expect(try await self.run(place, ["export"]) == "10.0.0.0/8\n")
            try await self.complains(place, ["add", "*"], "is not an entry")
            for time in ["99999999999999d", "9223372036854775807s", "36526d", "0h", "-1s"] {
                try await self.complains(
                    place, ["add", "10.0.0.1", "--ttl", time], "--ttl is 1s to 36525d, not \(time)\n")
            }
            try await self.complains(place, ["add", "10.0.0.1", "--reason", "two\nlines"], "--reason")
        }

        @Test func inRedis() async throws {
            try await withServer { redis in try await self.converse(["--redis", "redis://127.0.0.1:\(redis.port)"]) }
        }

        @Test func inANodeOfItsOwn() async throws {
            let token = "a-token-of-the-operator"
            let node = try NodeProcess(["--port", "0"], environment: ["WASMNET_ADMIN_TOKEN": token])
            let admin = try #require(await node.admin())
            let file = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")
            try "\(token)\n".write(to: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(at: file) }
            try await self.converse(["--admin", admin, "--admin-token-file", file.path])
            try await self.complains(["--admin", admin], ["list"], "401")
            #expect(!node.log.contains(token))
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
        }

        @Test func aPlaceIsNeededAndMustAnswer() async throws {
            try await self.complains([], ["list"], "--redis or WASMNET_REDIS, or a node's admin server by --admin")
            try await self.complains(["--admin", "127.0.0.1:9100"], ["list"], "--admin is a URL")
            let port = try await RedisServer.freePort()
            try await self.complains(
                ["--admin", "http://127.0.0.1:\(port)"], ["list"], "does not answer: Connection refused\n",
                status: 1)
        }

        /// Whatever is at the other end, the command ends, and reports the reason.
        @Test(
            arguments: [
                (.deaf, "http", "the answer did not arrive within 10 seconds"),
                (.deaf, "https", "no connection was made within 2 seconds; use http:// for a server without TLS"),
                (.reset, "http", "Connection reset by peer"),
                (.echo, "https", "TLS failed"),
            ] as [(TestTarget.Behaviour, String, String)])
        func aPlaceThatIsNoAdminServer(behaviour: TestTarget.Behaviour, scheme: String, words: String) async throws {
            let target = try await TestTarget.start(behaviour)
            try await self.complains(
                ["--admin", "\(scheme)://127.0.0.1:\(target.port)"], ["list"], words, status: 1)
            await target.stop()
        }

        @Test func tlsToAServerWithout() async throws {
            let node = try NodeProcess(["--port", "0"])
            let admin = try #require(await node.admin()).replacing("http:", with: "https:")
            try await self.complains(
                ["--admin", admin], ["list"], "it does not speak TLS; use http:// for a server without TLS", status: 1)
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
        }
    }
}
