import Foundation
import Testing
import WasmnetProtocol
import WasmnetTesting

extension NodeTests {
    /// `wasmnet-node cluster` and `quota`, on nodes with live sockets.
    @Suite struct QuotaCommandTests {
        private static let policy = """
            [network]
            allow = ["127.0.0.1"]
            max_connections = 3
            max_bandwidth_mbps = 100
            [limits]
            max_sessions = 4
            connects_per_sec = 0.01
            connect_burst = 50
            bytes_per_day = "1GiB"
            [tiers.pro]
            max_connections = 30
            """

        /// Two nodes and a policy file, a client with a session on each, and a runner of commands against them.
        private func withCluster(
            _ body: (
                _ clients: [TestClient], _ target: TestTarget, _ run: ([String]) async throws -> String
            ) async throws -> Void
        ) async throws {
            try await withServer { redis in
                let file = NSTemporaryDirectory() + "quota-\(UInt64.random(in: 0 ... .max)).toml"
                try Self.policy.write(toFile: file, atomically: true, encoding: .utf8)
                defer { try? FileManager.default.removeItem(atPath: file) }
                let environment = ["WASMNET_REDIS": "redis://127.0.0.1:\(redis.port)", "WASMNET_POLICY": file]
                let nodes = try (0..<2).map { _ in try NodeProcess(["--port", "0"], environment: environment) }
                let target = try await TestTarget.start(.echo)
                var clients: [TestClient] = []
                for node in nodes {
                    clients.append(try await TestClient.connect(port: try #require(await node.port())))
                    _ = try await clients.last?.next()
                }
                try await body(clients, target) { arguments in
                    let (status, output, errors) = try await NodeProcess.run(arguments, environment: environment)
                    #expect(status == 0, "\(arguments) \(errors)")
                    return output
                }
                for client in clients { await client.close() }
                for node in nodes {
                    node.signal(SIGTERM)
                    #expect(await node.wait() == 0)
                }
                #expect(
                    try await NodeProcess.run(["cluster"], environment: environment).output
                        == "No node is registered in this Redis.\n")
                await target.stop()
            }
        }

        private func object(_ text: String) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        }

        private func limit(_ name: String, in text: String) throws -> [String: Any] {
            let limits = try #require(try self.object(text)["limits"] as? [String: Any])
            return try #require(limits[name] as? [String: Any])
        }

        @Test func whatAClientUsesIsShownSetAndReset() async throws {
            try await self.withCluster { clients, target, run in
                try await self.opens(1, clients[0], target)
                try await self.opens(2, clients[0], target)
                try await self.opens(3, clients[1], target)

                let nodes = try #require(
                    self.object(try await run(["cluster", "--json"]))["nodes"] as? [[String: Any]])
                #expect(nodes.count == 2)
                #expect(nodes.allSatisfy { $0["state"] as? String == "serving" })
                let table = try await run(["cluster"])
                #expect(table.hasPrefix("NODE") && table.contains("\n2 nodes, "), "\(table)")

                let shown = try await run(["quota", "show", "127.0.0.1", "--json"])
                let holders = try #require(try self.object(shown)["holders"] as? [[String: Any]])
                #expect(
                    Set(holders.compactMap { $0["node"] as? String }) == Set(nodes.compactMap { $0["id"] as? String }))
                #expect(
                    Set(holders.compactMap { $0["address"] as? String })
                        == Set(nodes.compactMap { $0["address"] as? String }))
                #expect(holders.reduce(0) { $0 + ($1["sessions"] as? Int ?? 0) } >= 2)
                // An IPv4-mapped address is the same client.
                let mapped = try self.object(try await run(["quota", "show", "::ffff:127.0.0.1", "--json"]))
                #expect(mapped["client"] as? String == "a:127.0.0.1")
                #expect((mapped["holders"] as? [Any])?.count == 2)
                // Any name that a token can have, as the denylist reads it; tables have it as commands accept it.
                let name = "t:José \"O'Brien\" 50%"
                for written in ["t:José \"O'Brien\" 50%25", "t:Jos%C3%A9%20%22O%27Brien%22%2050%25"] {
                    let report = try self.object(try await run(["quota", "show", written, "--json"]))
                    #expect(report["client"] as? String == name)
                }
                #expect(try await run(["quota", "show", "t:a\u{202E}b"]).hasPrefix("t:a%E2%80%AEb\n"))
                #expect(try await run(["quota", "show", "t:a%2520b"]).hasPrefix("t:a%2520b\n"))
                #expect(try await run(["quota", "set", "t:a%20b", "--max-connections", "2"]).hasPrefix("t:a%20b\n"))
                let blank = try self.limit("max_connections", in: try await run(["quota", "show", "t:a b", "--json"]))
                #expect(blank["limit"] as? Int == 2)
                #expect(try await run(["quota", "reset", "t:a b"]).hasPrefix("t:a%20b: "))
                let sockets = try self.limit("max_connections", in: shown)
                #expect(sockets["used"] as? Int == 3 && sockets["limit"] as? Int == 3, "\(shown)")
                #expect(sockets["from"] as? String == "policy")
                #expect(try self.limit("connects_per_sec", in: shown)["available"] as? Int ?? 99 <= 47)
                let text = try await run(["quota", "show", "127.0.0.1"])
                #expect(text.contains("max_connections") && text.contains("1 GiB"), "\(text)")
                #expect(!text.contains("(not registered)") && !text.contains("default policy"), "\(text)")

                // One more than the policy allows, by an override; and the policy's limit again when that is removed.
                clients[0].send(.connect(4, host: "127.0.0.1", port: UInt16(target.port)))
                guard case .refused(4, let refusal) = try await clients[0].nextEvent() else {
                    throw POSIXError(.EPROTO)
                }
                #expect(refusal.code == .maxConnections)
                let set = try await run([
                    "quota", "set", "127.0.0.1", "--max-connections", "4", "--for", "90m", "--json",
                ])
                #expect(try self.limit("max_connections", in: set)["limit"] as? Int == 4)
                #expect(try self.limit("max_connections", in: set)["from"] as? String == "override")
                #expect(try self.object(set)["overrides_end"] as? String != nil)
                try await self.opens(5, clients[0], target)
                let cleared = try await run(["quota", "set", "127.0.0.1", "--clear"])
                #expect(!cleared.contains("override"), "\(cleared)")

                // A node draws connects ahead for a client that just opened one, so a reset can be followed by that until the node is idle.
                var reset = ""
                for _ in 0..<10 {
                    _ = try await run(["quota", "reset", "a:127.0.0.1"])
                    reset = try await run(["quota", "show", "127.0.0.1", "--json"])
                    if try self.limit("connects_per_sec", in: reset)["available"] as? Int == 50 { break }
                }
                #expect(try self.limit("max_connections", in: reset)["used"] as? Int == 4)
                // With --json it prints the rest.
                let told = try self.object(try await run(["quota", "reset", "127.0.0.1", "--json"]))
                #expect(Set(told.keys) == Set(try self.object(reset).keys))
                #expect(try self.limit("connects_per_sec", in: reset)["available"] as? Int == 50)
            }
        }

        /// One question, in two ways.
        @Test func theCommandAndTheAPIGiveOneDocument() async throws {
            try await withServer { redis in
                let file = NSTemporaryDirectory() + "quota-\(UInt64.random(in: 0 ... .max)).toml"
                try Self.policy.write(toFile: file, atomically: true, encoding: .utf8)
                defer { try? FileManager.default.removeItem(atPath: file) }
                let environment = ["WASMNET_REDIS": "redis://127.0.0.1:\(redis.port)", "WASMNET_POLICY": file]
                let node = try NodeProcess(["--port", "0"], environment: environment)
                let admin = try #require(await node.admin())
                func put(_ body: String) async throws -> [String: Any] {
                    let (_, output) = try await ChildProgram.run(
                        "/usr/bin/curl",
                        [
                            "-s", "--max-time", "5", "-X", "PUT", "-H", "Content-Type: application/json", "-d", body,
                            "\(admin)/v1/quota/t:amy",
                        ])
                    return try self.object(output)
                }
                var told = try await put(
                    #"{"max_connections": 2, "connects_per_sec": 3, "connect_burst": 4, "max_bandwidth_mbps": 0.5}"#)
                let (_, output, _) = try await NodeProcess.run(
                    ["quota", "show", "t:amy", "--json"], environment: environment)
                var printed = try self.object(output)
                #expect(printed.removeValue(forKey: "policy") as? String == file)
                // Of two moments, so perhaps in the next second.
                for name in ["now", "overrides_end"] {
                    #expect(told.removeValue(forKey: name) is String && printed.removeValue(forKey: name) is String)
                }
                #expect(NSDictionary(dictionary: told).isEqual(to: printed), "\(told) \(printed)")
                #expect(try self.limit("connects_per_sec", in: output)["limit"] as? Double == 3)
                #expect(try self.limit("max_bandwidth_mbps", in: output)["limit"] as? Double == 0.5)

                let refusal = try await put(#"{"max_connections": 0}"#)["error"] as? [String: Any]
                let message = try #require(refusal?["message"] as? String)
                let (_, _, errors) = try await NodeProcess.run(
                    ["quota", "set", "t:amy", "--max-connections", "0"], environment: environment)
                #expect(errors.contains("--" + message.replacing("max_connections", with: "max-connections")))
                node.signal(SIGTERM)
                #expect(await node.wait() == 0)
            }
        }

        @Test func aComplaintNamesThePolicyThatWasLookedAt() async throws {
            let file = NSTemporaryDirectory() + "quota-\(UInt64.random(in: 0 ... .max)).toml"
            try Self.policy.write(toFile: file, atomically: true, encoding: .utf8)
            defer { try? FileManager.default.removeItem(atPath: file) }
            for (flags, environment) in [(["--policy", file], [:]), ([], ["WASMNET_POLICY": file])] {
                let (status, _, errors) = try await NodeProcess.run(
                    ["quota", "set", "::1", "--resolves-per-sec", "3", "--redis", "redis://127.0.0.1:1"] + flags,
                    environment: environment)
                #expect(
                    status == 2 && errors.contains("the policy \(file) does not limit resolves_per_sec"), "\(errors)")
            }
        }

        /// A node that was refused recently does not ask again at once, so the client asks until it is.
        private func opens(_ id: SocketID, _ client: TestClient, _ target: TestTarget) async throws {
            while true {
                client.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port)))
                switch try await client.nextEvent() {
                case .connected: return
                case .refused: try await Task.sleep(for: .milliseconds(20))
                default: throw POSIXError(.EPROTO)
                }
            }
        }

        @Test func limitsOfTheDefaultPolicyAreCalledThat() async throws {
            try await withServer { redis in
                for (arguments, words) in [
                    (
                        [],
                        "Limits from \"policy\" are the default policy's: where the nodes have another, name it by --policy"
                    ),
                    (["--json"], "\"max_connections\""),
                ] {
                    let (status, output, errors) = try await NodeProcess.run(
                        ["quota", "show", "192.0.2.7"] + arguments,
                        environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(redis.port)"])
                    #expect(status == 0 && output.contains(words), "\(output) \(errors)")
                }
            }
        }

        /// Arguments of quota, and the error message.
        static let wrong: [([String], String)] = [
            (["show", "somebody"], "CLIENT is an address such as 203.0.113.7, or t:NAME, not \"somebody\""),
            (["show", "t:"], "CLIENT is an address"),
            (["show", "t:100%"], "% comes before two hexadecimal digits (%25 is % itself)"),
            (["reset", "t:%FF"], "% comes before two hexadecimal digits (%25 is % itself), and all of it is UTF-8"),
            (["set", "t:a%0Ab", "--max-connections", "3"], "without control characters"),
            (["show", "::1", "--tier", "none"], "the policy has no tier \"none\""),
            (["show", "::1", "--policy", "no.toml"], "no.toml: the file cannot be read: No such file or directory"),
            (["set", "::1"], "give a limit to set, or --clear"),
            (["set", "::1", "--clear", "--max-sessions", "3"], "--clear and limits to set exclude each other"),
            (["set", "::1", "--clear", "--connect-burst", "3"], "--clear and limits to set exclude each other"),
            (["set", "::1", "--max-connections", "1000001"], "--max-connections is 1 to 1000000"),
            (["show", "192.0.2.7/64"], "CLIENT is an address"),
            (["show", "::ffff:192.0.2.7/64"], "CLIENT is an address"),
            (["set", "::1", "--max-connections", "0"], "--max-connections is 1 to 1000000, not 0"),
            (["set", "::1", "--max-connections", "-4"], "--max-connections is 1 to 1000000, not -4"),
            (
                ["set", "::1", "--max-sessions", "3"],
                "the default policy (neither --policy nor WASMNET_POLICY names another) does not limit max_sessions"
            ),
            (["set", "::1", "--max-sessions", "3"], "name the nodes' policy by --policy"),
            (["set", "::1", "--connect-burst", "3"], "--connect-burst needs --connects-per-sec"),
            (["set", "::1", "--connects-per-sec", "-1"], "--connects-per-sec is above 0, to 1000000, not -1.0"),
            (
                ["set", "::1", "--connects-per-sec", "1", "--connect-burst", "-2"],
                "--connect-burst is 1 to 1000000, not -2"
            ),
            (["set", "::1", "--bytes-per-day", "-3"], "up to 8192TiB, not \"-3\""),
            (["set", "::1", "--bytes-per-day", "much"], "--bytes-per-day is a number of bytes"),
            (["set", "::1", "--max-connections", "3", "--for", "3 weeks"], "--for"),
            (["set", "::1", "--max-connections", "3", "--for", "9999d"], "--for is 1s to 366d"),
            (["set", "::1", "--max-connections", "3", "--for", "99999999999999d"], "366d, not 99999999999999d\n"),
            // 61,184 seconds beyond what 64 bits hold.
            (["set", "::1", "--max-connections", "3", "--for", "213503982334602d"], "366d, not 213503982334602d\n"),
            (["set", "::1", "--max-connections", "3", "--for", "9223372036854775807s"], "--for is 1s to 366d"),
            (["set", "::1", "--max-connections", "3", "--for", "99999999999999999999h"], "--for is 1s to 366d"),
            (["set", "::1", "--max-connections", "3", "--for", "0s"], "--for is 1s to 366d, not 0s"),
            (["set", "::1", "--max-connections", "3", "--for", "-1s"], "--for is 1s to 366d, not -1s\n"),
            (
                ["set", "::1", "--max-connections", "3", "--for", "-99999999999999999999d"],
                "--for is 1s to 366d, not -9"
            ),
            (["set", "::1", "--max-connections", "3", "--for", "-s"], "--for"),
            (["set", "::1", "--connects-per-sec", "inf"], "--connects-per-sec is above 0, to 1000000"),
            (["set", "::1", "--max-bandwidth-mbps", "nan"], "--max-bandwidth-mbps is above 0, to 1000000"),
            (["set", "::1", "--bytes-per-day", "99999999999999TiB"], "--bytes-per-day is a number of bytes"),
        ]

        @Test(arguments: Self.wrong.indices) func wrongUsageExitsWith2AndSaysWhat(index: Int) async throws {
            let (arguments, words) = Self.wrong[index]
            let (status, _, errors) = try await NodeProcess.run(
                ["quota"] + arguments, environment: ["WASMNET_REDIS": "redis://127.0.0.1:1"])
            #expect(status == 2 && errors.contains(words), "\(errors)")
        }
    }
}
