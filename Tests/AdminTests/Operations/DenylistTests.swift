import NIOCore
import NIOHTTP1
import Testing
import Wasmnet
import WasmnetProtocol
import WasmnetTesting

extension Operations {
    @Suite struct DenylistTests {
        @Test func liveSocketsEndAndNewOnesAreDenied() async throws {
            let (denied, allowed) = (try await TestTarget.start(.echo), try await TestTarget.start(.echo))
            try await TestNode.withAdmin { node, admin in
                let client = try await TestClient.open(node)
                try await client.connect(1, to: denied)
                try await client.connect(2, to: allowed)
                let change = try await admin.ask(
                    .POST, "/v1/denylist", #"{"entries":[{"entry":"127.0.0.1:\#(denied.port)","reason":"abuse"}]}"#)
                #expect(change["changed"] as? Int == 1)
                let end = try await client.nextEnd()
                #expect(end.0 == 1 && end.1 == .denylisted)
                client.send(.connect(3, host: "127.0.0.1", port: UInt16(denied.port)))
                let refusal = try await client.expect(.refused(3))
                #expect(refusal.code == .denylisted && refusal.message.hasSuffix("is on the denylist"))
                client.send(.send(2, ByteBuffer(string: "still")))
                try await client.expect(.data(2))
                try await admin.ask(.DELETE, "/v1/denylist", #"{"entries":["127.0.0.1:\#(denied.port)"]}"#)
                try await client.connect(4, to: denied)
                try await admin.shows(#"wasmnet_denials_total{reason="denylisted"}"#, 2)
                await client.close()
            }
            await denied.stop()
            await allowed.stop()
        }

        @Test func aClientIsPutOutAndKeptOut() async throws {
            let policy = try TestNode.policy(
                """
                [network]
                allow = ["*"]
                [clients]
                trusted_proxies = ["127.0.0.1"]
                """)
            try await TestNode.withAdmin(policy: policy) { node, admin in
                let bad = try await TestClient.open(node, headers: ["X-Forwarded-For": "203.0.113.7"])
                let good = try await TestClient.open(node, headers: ["X-Forwarded-For": "203.0.113.8"])
                try await admin.ask(.POST, "/v1/denylist", #"{"entries":[{"entry":"client:a:203.0.113.7"}]}"#)
                #expect(try await bad.next() == .close(code: 1008, reason: "denylisted"))
                await #expect(throws: TestClient.UpgradeRefused.self) {
                    _ = try await TestClient.connect(port: node.port, headers: ["X-Forwarded-For": "203.0.113.7"])
                }
                try await admin.shows(#"wasmnet_session_opens_total{outcome="denylisted"}"#, 1)
                good.send(.connect(1, host: "no.invalid", port: 1))
                #expect(try await good.nextEnd().1 == .nameNotFound)
                await good.close()
            }
        }

        @Test func anEntryEndsWithItsTime() async throws {
            let target = try await TestTarget.start(.echo)
            try await TestNode.withAdmin { node, admin in
                let client = try await TestClient.open(node)
                try await admin.ask(
                    .POST, "/v1/denylist", #"{"entries":[{"entry":"127.0.0.0/8","ttl_seconds":1}]}"#)
                client.send(.connect(1, host: "127.0.0.1", port: UInt16(target.port)))
                #expect(try await client.nextEnd().1 == .denylisted)
                try await admin.shows("wasmnet_denylist_entries", 1)
                // The count matches the list, also before the entry is removed.
                var size = 1
                while size > 0 {
                    let report = try await admin.ask(.GET, "/v1/denylist")
                    size = try #require(report["size"] as? Int)
                    #expect((report["items"] as? [Any])?.count == size)
                }
                try await admin.shows("wasmnet_denylist_entries", 0)
                try await client.connect(2, to: target)
                await client.close()
            }
            await target.stop()
        }

        @Test func whatIsNoEntryIsToldSo() async throws {
            try await TestNode.withAdmin { _, admin in
                for (entry, words) in [
                    ("10.0.0.0/99", "10.0.0.0/99"), ("*", "not an entry"), ("client:nobody", "client"),
                    ("client:t:%00", "control"), ("client:t:" + String(repeating: "x", count: 257), "1 to 256 bytes"),
                ] {
                    let answer = try await admin.ask(
                        .POST, "/v1/denylist", #"{"entries":[{"entry":"\#(entry)"}]}"#, status: 422)
                    let error = answer["error"] as? [String: Any]
                    #expect(error?["code"] as? String == "bad_entry")
                    #expect((error?["message"] as? String)?.contains(words) == true, "\(answer)")
                }
                try await admin.ask(.POST, "/v1/denylist", #"{"entries":[]}"#, status: 422)
                for (length, status) in [(256, UInt(200)), (257, 422)] {
                    let reason = String(repeating: "x", count: length)
                    try await admin.ask(
                        .POST, "/v1/denylist", #"{"entries":[{"entry":"192.0.2.1","reason":"\#(reason)"}]}"#,
                        status: status)
                }
            }
        }
    }
}
