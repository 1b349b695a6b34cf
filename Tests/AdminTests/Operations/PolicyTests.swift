import Foundation
import Logging
import NIOCore
import NIOHTTP1
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetTesting

extension Operations {
    @Suite struct PolicyTests {
        /// A policy file in its own folder.
        private final class File: Sendable {
            let path: String

            init(_ text: String) throws {
                let folder = FileManager.default.temporaryDirectory.appending(path: "policy-\(UUID().uuidString)")
                try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                self.path = folder.appending(path: "policy.toml").path
                try self.write(text)
            }

            func write(_ text: String) throws {
                // As editors and Kubernetes do it: another file replaces the old one.
                try text.write(toFile: self.path, atomically: true, encoding: .utf8)
            }

            deinit {
                try? FileManager.default.removeItem(at: URL(fileURLWithPath: self.path).deletingLastPathComponent())
            }
        }

        private func withFile(
            _ text: String, watch: Duration = .seconds(3600),
            configure: (inout ServerConfiguration) -> Void = { _ in },
            _ body: (File, TestNode, Admin) async throws -> Void
        ) async throws {
            let file = try File(text)
            let source = ServerConfiguration.PolicySource(path: file.path)
            try await TestNode.withAdmin(
                policy: try source.load(),
                configure: {
                    $0.policyFile = source
                    $0.policyWatchInterval = watch
                    configure(&$0)
                }
            ) { node, admin in try await body(file, node, admin) }
        }

        private static func allowing(_ entries: [String]) -> String {
            "[network]\nallow = [\(entries.map { "\"\($0)\"" }.joined(separator: ", "))]\nmax_connections = 5000\n"
        }

        @Test func aReloadUnderAThousandSocketsEndsJustThoseItForbids() async throws {
            let (kept, gone) = (try await TestTarget.start(.echo), try await TestTarget.start(.echo))
            let both = Self.allowing(["127.0.0.1:\(kept.port)", "127.0.0.1:\(gone.port)"])
            try await self.withFile(both) { file, node, admin in
                var clients: [TestClient] = []
                for _ in 0..<10 {
                    let client = try await TestClient.open(node)
                    for id in SocketID(1)...100 {
                        try await client.connect(id, to: id.isMultiple(of: 4) ? gone : kept)
                    }
                    clients.append(client)
                }
                try await admin.shows(#"wasmnet_sockets{kind="tcp"}"#, 1000)
                try file.write(Self.allowing(["127.0.0.1:\(kept.port)"]))
                let report = try await admin.ask(.POST, "/v1/policy/reload")
                #expect(report["generation"] as? Int == 2)
                for client in clients {
                    var ended: Set<SocketID> = []
                    for _ in 0..<25 {
                        let (id, reason) = try await client.nextEnd()
                        #expect(reason == .policyDenied)
                        ended.insert(id)
                    }
                    #expect(ended == Set((SocketID(1)...100).filter { $0.isMultiple(of: 4) }))
                    // The others work, every one.
                    for id in SocketID(1)...100 where !ended.contains(id) {
                        client.send(.send(id, ByteBuffer(integer: id)))
                    }
                    var echoed: Set<SocketID> = []
                    while echoed.count < 75 {
                        switch try await client.nextEvent() {
                        case .data(let id, _): echoed.insert(id)
                        case .window: continue
                        case let other:
                            Issue.record("unexpected \(other)")
                            return
                        }
                    }
                }
                try await admin.shows(#"wasmnet_sockets{kind="tcp"}"#, 750)
                try await admin.shows(#"wasmnet_closes_total{reason="policy_denied"}"#, 250)
                for client in clients { await client.close() }
            }
            await kept.stop()
            await gone.stop()
        }

        /// A reload, the shadow policy, the reported policy, and how it is explained.
        @Test func entriesForOneTransportAreKnownToOperators() async throws {
            let target = try await TestTarget.start(.echo)
            let port = UInt16(target.port)
            let shadow = try File("[network]\nallow = [\"udp/127.0.0.1\"]\n")
            try await self.withFile(Self.allowing(["127.0.0.1"]), configure: { $0.shadowPolicyFile = shadow.path }) {
                file, node, admin in
                func isAllowed(_ query: String) async throws -> Bool? {
                    try await admin.ask(.GET, "/v1/policy/explain?destination=127.0.0.1:\(port)\(query)")["allowed"]
                        as? Bool
                }
                let client = try await TestClient.open(node)
                try await client.connect(1, to: target)
                client.send(.connectUDP(2, host: "127.0.0.1", port: port))
                guard case .udpBound(2, _) = try await client.nextEvent() else { throw ChannelError.eof }
                try await admin.shows(#"wasmnet_shadow_decisions_total{outcome="would_deny"}"#, 1)
                try await admin.shows(#"wasmnet_shadow_decisions_total{outcome="same"}"#, 1)
                for query in ["", "&udp=true", "&udp=false"] { #expect(try await isAllowed(query) == true) }

                try file.write(Self.allowing(["tcp/127.0.0.1"]))
                try await admin.ask(.POST, "/v1/policy/reload")
                let (id, reason) = try await client.nextEnd()
                #expect(id == 2 && reason == .policyDenied)
                client.send(.send(1, ByteBuffer(string: "alive")))
                guard case .data(1, _) = try await client.nextEvent() else { throw ChannelError.eof }
                #expect(try await isAllowed("") == true)
                #expect(try await isAllowed("&udp=false") == true)
                #expect(try await isAllowed("&udp=true") == false)
                let text = try await admin.ask(.GET, "/v1/policy")["text"] as? String
                #expect(text?.contains("\"tcp/127.0.0.1\"") == true, "\(text ?? "")")
                await client.close()
            }
            await target.stop()
        }

        @Test func aBadFileLeavesTheOldPolicyInForce() async throws {
            let target = try await TestTarget.start(.echo)
            let log = LogLines()
            try await self.withFile(
                Self.allowing(["127.0.0.0/8"]), watch: .milliseconds(20), configure: { $0.logger = log.logger() }
            ) { file, node, admin in
                let client = try await TestClient.open(node)
                try await client.connect(1, to: target)
                try file.write("[network]\nallow = [\"10.0.0.0/99\"]\nalow = []\n")
                let line = try await log.line("the policy's file is wrong; the policy in force stays")
                #expect(line.level == .error)
                #expect(line.metadata["reason"]?.contains(":2:") == true, "\(line)")
                try await admin.shows("wasmnet_policy_stale", 1)
                try await admin.shows(#"wasmnet_policy_reloads_total{outcome="failed"}"#, 1)
                let answer = try await admin.ask(.POST, "/v1/policy/reload", status: 422)
                #expect((answer["error"] as? [String: Any])?["code"] as? String == "bad_policy")
                #expect(try await admin.ask(.GET, "/v1/policy")["generation"] as? Int == 1)
                client.send(.send(1, ByteBuffer(string: "alive")))
                try await client.expect(.data(1))
                // Once fixed, it takes effect by itself.
                try file.write(Self.allowing(["127.0.0.0/8", "10.0.0.0/8"]))
                try await admin.shows("wasmnet_policy_generation", 2)
                try await admin.shows("wasmnet_policy_stale", 0)
                await client.close()
            }
            await target.stop()
        }

        /// An editor or a deployment may truncate the file before it writes it: an empty policy would end every socket.
        @Test func aFileThatIsEmptyForAMomentIsNoChange() async throws {
            try await self.withFile(Self.allowing(["127.0.0.0/8"]), watch: .milliseconds(20)) { file, _, admin in
                try Data().write(to: URL(fileURLWithPath: file.path))
                try await Task.sleep(for: .milliseconds(500))
                try await admin.shows("wasmnet_policy_generation", 1)
                try await admin.shows(#"wasmnet_policy_reloads_total{outcome="failed"}"#, 0)
                try file.write(Self.allowing(["127.0.0.0/8", "10.0.0.0/8"]))
                try await admin.shows("wasmnet_policy_generation", 2)
                // A request reloads it at once.
                try Data().write(to: URL(fileURLWithPath: file.path))
                #expect(try await admin.ask(.POST, "/v1/policy/reload")["generation"] as? Int == 3)
            }
        }

        @Test func whatChangesFromLookToLookIsNotReadYet() {
            var settling = Settling<Int>()
            let looks: [(Int?, Bool)] = [
                (1, false), (2, false), (3, false), (3, true), (nil, false), (4, false), (nil, false), (4, false),
                (4, true), (1, false), (1, false), (5, false), (1, false), (5, false), (5, true),
            ]
            for (index, (state, isNew)) in looks.enumerated() {
                #expect(settling.isNew(state, known: 1) == isNew, "look \(index)")
            }
        }

        @Test func aPolicyThatAsksForTokensNobodyCanTellIsRefused() async throws {
            try await self.withFile(Self.allowing(["*"])) { file, _, admin in
                try file.write(Self.allowing(["*"]) + "[clients]\nrequire_token = true\n")
                let answer = try await admin.ask(.POST, "/v1/policy/reload", status: 422)
                let message = (answer["error"] as? [String: Any])?["message"] as? String
                #expect(message?.contains("neither a token file nor a key") == true)
            }
        }

        /// As refusals are.
        @Test func linesOfTheShadowPolicyAreLimited() async throws {
            let shadow = try File(Self.allowing(["127.0.0.1:1"]))
            let log = LogLines()
            try await self.withFile(
                "network.deny = [\"*\"]\nlimits.refusals_per_sec = 0",
                configure: {
                    $0.shadowPolicyFile = shadow.path
                    $0.logger = log.logger()
                }
            ) { _, node, admin in
                let client = try await TestClient.open(node)
                let start = ContinuousClock.now
                for id in 1...200 {
                    client.send(.connect(SocketID(id), host: "127.0.0.1", port: 1))
                    #expect(try await client.nextEnd().1 == .policyDenied)
                }
                // A refusal is a line too.
                let most = 20 + 5 * Int((ContinuousClock.now - start).components.seconds + 1)
                let lines = log.lines("the shadow policy decides otherwise").count + log.lines("open refused").count
                #expect((1...most).contains(lines), "\(lines)")
                try await admin.shows(#"wasmnet_shadow_decisions_total{outcome="would_allow"}"#, 200)
                await client.close()
            }
        }

        @Test func theShadowPolicyIsComparedAndDecidesNothing() async throws {
            let target = try await TestTarget.start(.echo)
            let shadow = try File(Self.allowing(["127.0.0.1:1"]))
            let log = LogLines()
            try await self.withFile(
                Self.allowing(["127.0.0.1:\(target.port)"]),
                configure: {
                    $0.shadowPolicyFile = shadow.path
                    $0.logger = log.logger()
                }
            ) { _, node, admin in
                let client = try await TestClient.open(node)
                try await client.connect(1, to: target)
                client.send(.connect(2, host: "127.0.0.1", port: 1))
                #expect(try await client.nextEnd().1 == .policyDenied)
                client.send(.connect(3, host: "127.0.0.1", port: 2))
                #expect(try await client.nextEnd().1 == .policyDenied)
                try await admin.shows(#"wasmnet_shadow_decisions_total{outcome="would_deny"}"#, 1)
                try await admin.shows(#"wasmnet_shadow_decisions_total{outcome="would_allow"}"#, 1)
                try await admin.shows(#"wasmnet_shadow_decisions_total{outcome="same"}"#, 1)
                let lines = log.lines("the shadow policy decides otherwise")
                #expect(lines.map { $0.metadata["verdict"] } == ["would_deny", "would_allow"])
                await client.close()
            }
            await target.stop()
        }
    }
}
