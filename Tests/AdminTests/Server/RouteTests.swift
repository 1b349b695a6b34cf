import CoreMetrics
import Logging
import NIOCore
import NIOConcurrencyHelpers
import PrometheusMetrics
import Testing
import WasmnetAdmin
import WasmnetQuota

/// How the routes handle requests, and the node's answers.
@Suite(.timeLimit(.minutes(1))) struct RouteTests {
    @Test func metricsComeInTheFormatAskedFor() async throws {
        try await LiveServer.with { live async throws in
            Counter(label: "opens", factory: PrometheusMetricsFactory(live.registry)).increment(by: 3)
            let text = try await live.send("GET", "/metrics")
            #expect(text.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            #expect(text.body.contains("\nopens_total 3\n"))
            let open = try await live.send(
                "GET", "/metrics", headers: ["Accept": "application/openmetrics-text;version=1.0.0"])
            #expect(open.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(open.headers["vary"] == "Accept")
            #expect(open.headers["cache-control"] == "no-store")
            #expect(open.body.hasSuffix("# EOF\n"))
        }
    }

    @Test func readinessNamesWhatIsNotWell() async throws {
        try await LiveServer.with { live async throws in
            let ready = try await live.send("GET", "/readyz")
            #expect(ready.status == 200)
            #expect(
                ready.body == #"{"checks":[{"name":"denylist","ok":true},{"name":"draining","ok":true}],"ready":true}"#)
            live.backend.state.withLockedValue { $0.checks[0].problem = "not loaded yet" }
            let not = try await live.send("GET", "/readyz")
            #expect(not.status == 503)
            #expect(
                not.body
                    == #"{"checks":[{"name":"denylist","ok":false,"reason":"not loaded yet"},{"name":"draining","ok":true}],"ready":false}"#
            )
        }
    }

    @Test(arguments: [
        ("", ["a-1", "a-2", "a-3"]), ("?client=t:ann", ["a-3"]), ("?client=t%3Aann", ["a-3"]),
        ("?client=", ["a-1", "a-2", "a-3"]),
        ("?state=draining", []), ("?destination=EXAMPLE.com:443", ["a-1"]), ("?destination=example.com", ["a-1"]),
        ("?destination=2001:db8::1", ["a-1"]), ("?destination=198.51.100.7", ["a-1"]), ("?destination=ample.com", []),
        ("?limit=2", ["a-1", "a-2"]), ("?limit=2&cursor=a-2", ["a-3"]), ("?cursor=a-3", []),
    ])
    func sessionsAreFiltered(query: String, ids: [String]) async throws {
        try await LiveServer.with { live async throws in
            let answer = try await live.send("GET", "/v1/sessions" + query)
            #expect(answer.json?["items"]?.array.compactMap { $0["id"]?.string } == ids, "\(answer.body)")
            #expect(answer.json?["next"]?.string == (query == "?limit=2" ? "a-2" : nil))
        }
    }

    @Test(arguments: [
        "?limit=0", "?limit=1001", "?limit=x", "?limit=-1", "?state=gone", "?nonsense=1", "?client=a&client=b",
        "?client=%zz",
    ])
    func malformedQueriesAreRejected(query: String) async throws {
        try await LiveServer.with { live async throws in
            for path in ["/v1/sessions", "/v1/sockets"] {
                let answer = try await live.send("GET", path + query)
                #expect(answer.status == 400, "\(path)\(query)")
                guard query.hasPrefix("?limit") else { continue }
                let message = answer.json?["error"]?["message"]?.string
                #expect(message == "limit is 1 to 1000, not \"\(query.dropFirst("?limit=".count))\"", "\(answer.body)")
            }
        }
    }

    @Test func pagingSeesEachItemOnceWhileOthersComeAndGo() async throws {
        try await LiveServer.with { live async throws in
            live.backend.state.withLockedValue { state in
                state.sessions = (100...350).map { FakeBackend.session("s-\($0)", client: "c") }
            }
            var seen: [String] = []
            var cursor: String?
            repeat {
                let answer = try await live.send(
                    "GET", "/v1/sessions?limit=50" + (cursor.map { "&cursor=\($0)" } ?? ""))
                seen += (answer.json?["items"]?.array ?? []).compactMap { $0["id"]?.string }
                cursor = answer.json?["next"]?.string
                live.backend.state.withLockedValue { $0.sessions.removeFirst(3) }
            } while cursor != nil
            #expect(seen == (100...350).map { "s-\($0)" })
        }
    }

    @Test func aSocketIsClosedByItsSessionAndIdOnce() async throws {
        try await LiveServer.with { live async throws in
            #expect(try await live.send("DELETE", "/v1/sockets/a-2/7").status == 204)
            #expect(try await live.send("DELETE", "/v1/sockets/a-2/7").status == 404)
            let left = try await live.send("GET", "/v1/sockets?session=a-1")
            #expect(left.json?["items"]?.array.compactMap { $0["id"]?.string } == ["7", "8"])
        }
    }

    @Test func theDenylistAddedListedRemoved() async throws {
        try await LiveServer.with { live async throws in
            let body =
                #"{"entries": [{"entry": "192.0.2.0/24", "ttl_seconds": 60, "reason": "abuse"}, {"entry": "*.example.net"}]}"#
            #expect(try await live.send("POST", "/v1/denylist", body: body).body == #"{"changed":2,"version":10}"#)
            let list = try await live.send("GET", "/v1/denylist?limit=1")
            #expect(
                list.body
                    == #"{"age_seconds":0.25,"items":[{"entry":"*.example.net"}],"next":"*.example.net","size":2,"version":9}"#
            )
            let removal = try await live.send("DELETE", "/v1/denylist", body: #"{"entries": ["192.0.2.0/24", "no"]}"#)
            #expect(removal.body == #"{"changed":1,"version":11}"#)
            #expect(live.backend.state.withLockedValue { $0.denied.map(\.entry) } == ["*.example.net"])
        }
    }

    @Test func whatIsWrongWithABodyIsNamedByItsPath() async throws {
        try await LiveServer.with { live async throws in
            for (body, path) in [
                (#"{"entries": [{"entry": "a"}, {"entry": "b", "bogus": 1}]}"#, "entries.1.bogus: no such member"),
                (#"{"entries": [{"entry": 5}]}"#, "entries.0.entry: "), (#"{"bogus": 5}"#, "bogus: "),
            ] {
                let answer = try await live.send("POST", "/v1/denylist", body: body)
                #expect(answer.status == 422)
                #expect(answer.json?["error"]?["message"]?.string?.hasPrefix(path) == true, "\(answer.body)")
            }
        }
    }

    @Test(arguments: [
        ("", 400, "bad_json"), ("{", 400, "bad_json"), ("nonsense", 400, "bad_json"),
        (#"{"entries": [}"#, 400, "bad_json"),
        ("[]", 422, "bad_body"), ("{}", 422, "bad_body"), (#"{"entries": []}"#, 422, "bad_body"),
        (#"{"entries": {}}"#, 422, "bad_body"), (#"{"entries": null}"#, 422, "bad_body"),
        (#"{"entries": ["a"]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": "a", "ttl": 60}]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": 5}]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": "a", "ttl_seconds": 0}]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": "a", "ttl_seconds": -5}]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": "a", "ttl_seconds": 1e300}]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": "a", "ttl_seconds": 1e999}]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": ""}]}"#, 422, "bad_body"), (#"{"entries": [{"entry": "a\nb"}]}"#, 422, "bad_body"),
        (#"{"entries": [{"entry": "10.0.0.0/99"}]}"#, 422, "bad_entry"),
        (#"{"entries": [{"entry": "a"}], "more": 1}"#, 422, "bad_body"),
    ])
    func malformedAdditionsAreRejected(body: String, status: Int, code: String) async throws {
        try await LiveServer.with { live async throws in
            let answer = try await live.send("POST", "/v1/denylist", body: body)
            #expect(answer.status == status, "\(answer.body)")
            #expect(answer.code == code, "\(answer.body)")
            #expect(live.backend.state.withLockedValue { $0.denied.isEmpty })
        }
    }

    @Test func jsonOfAnyDepthIsAnswered() async throws {
        try await LiveServer.with { live async throws in
            for opening in ["[", #"{"entries":"#, #"{"a":["#] {
                let answer = try await live.send(
                    "POST", "/v1/denylist", body: String(repeating: opening, count: 50_000))
                #expect([400, 422].contains(answer.status), "\(opening)")
            }
        }
    }

    @Test func aClientWithSlashesInItsIDAndItsOverride() async throws {
        try await LiveServer.with { live async throws in
            let path = "/v1/quota/a%3A2001%3Adb8%3A%3A%2F64"
            let answer = try await live.send(
                "PUT", path, body: #"{"max_connections": 5, "bytes_per_day": 9007199254740992}"#)
            #expect(answer.json?["client"]?.string == "a:2001:db8::/64")
            #expect(answer.body.contains(#""bytes_per_day":{"from":"override","limit":9007199254740992,"used":7}"#))
            #expect(answer.body.contains(#""max_connections":{"from":"override","limit":5,"used":2}"#))
            #expect(live.backend.state.withLockedValue { $0.overrides?.maxConnections } == 5)
            #expect(try await live.send("DELETE", path).status == 204)
            #expect(try await live.send("DELETE", path).status == 404)
            for wrong in [
                "{}", #"{"max_connections": -1}"#, #"{"max_connections": 1.5}"#, #"{"max_connection": 1}"#,
                #"{"bytes_per_day": 1e30}"#,
            ] {
                let refused = try await live.send("PUT", path, body: wrong)
                #expect(refused.status == 422, "\(wrong): \(refused.body)")
            }
        }
    }

    @Test(arguments: [
        ("max_sockets", "max_connections"), ("connects_per_second", "connects_per_sec"),
        ("resolves_per_second", "resolves_per_sec"), ("bytes_per_second", "max_bandwidth_mbps"),
    ])
    func theOldNameOfALimitIsRefusedWithTheNewOne(old: String, new: String) async throws {
        try await LiveServer.with { live async throws in
            let answer = try await live.send("PUT", "/v1/quota/t%3Aamy", body: #"{"\#(old)": 5}"#)
            #expect(answer.status == 422)
            #expect(answer.body.contains("\(old): no such member any more; use \(new)"), "\(answer.body)")
            #expect(live.backend.state.withLockedValue { $0.overrides } == nil)
        }
    }

    @Test func explainTakesHostAndPortApart() async throws {
        try await LiveServer.with { live async throws in
            for query in ["example.com:443", "%5B2001:db8::1%5D:53&udp=true", "192.0.2.1:1&udp=0", "a:65535&udp"] {
                #expect(try await live.send("GET", "/v1/policy/explain?destination=" + query).status == 200, "\(query)")
            }
            let explained = live.backend.state.withLockedValue { $0.explained }
            #expect(explained == ["example.com 443 false", "2001:db8::1 53 true", "192.0.2.1 1 false", "a 65535 true"])
            for query in [
                "", "example.com", "example.com:", ":443", "a:0", "a:65536", "a:+1", "::1:80", "[::1:80",
                "a:1&udp=maybe", "[]:1",
            ] {
                let answer = try await live.send("GET", "/v1/policy/explain?destination=" + query)
                #expect(answer.status == 400, "\(query)")
            }
        }
    }

    @Test func theLogLevelIsReadAndSet() async throws {
        try await LiveServer.with { live async throws in
            #expect(try await live.send("PUT", "/v1/log-level", body: #"{"level": "trace"}"#).status == 200)
            #expect(try await live.send("GET", "/v1/log-level").body == #"{"level":"trace"}"#)
            #expect(try await live.send("PUT", "/v1/log-level", body: #"{"level": "loud"}"#).status == 422)
            #expect(live.backend.state.withLockedValue { $0.level } == .trace)
        }
    }

    @Test func aFailureIsNotDisclosedAndAStuckNodeIsNotWaitedFor() async throws {
        try await LiveServer.with(LiveServer.withToken, FakeBackend(.broken)) { live async throws in
            let answer = try await live.send("GET", "/v1/policy")
            #expect(answer.status == 500)
            #expect(!answer.body.contains("Broken"))
        }
        try await LiveServer.with(LiveServer.impatient(), FakeBackend(.stuck)) { live async throws in
            #expect(try await live.send("GET", "/readyz").code == "timeout")
            #expect(try await live.send("GET", "/livez").status == 200)
        }
    }

    @Test func documentsAreServedToAllWithTheirPolicy() async throws {
        let page = AdminDocument(
            path: "/", contentType: "text/html; charset=utf-8", bytes: ByteBuffer(string: "<!doctype html>"))
        try await LiveServer.with(documents: [page]) { live async throws in
            let answer = try await live.send("GET", "/", headers: ["Authorization": nil])
            #expect(answer.body == "<!doctype html>")
            #expect(answer.headers["content-type"] == "text/html; charset=utf-8")
            #expect(answer.headers["content-security-policy"]?.contains("default-src 'self'") == true)
            #expect(answer.headers["x-content-type-options"] == "nosniff")
            #expect(try await live.send("DELETE", "/").status == 405)
        }
    }

    @Test func eachChangeIsLoggedWhateverItsOutcomeAndReadsAreNot() async throws {
        try await LiveServer.with { live async throws in
            _ = try await live.send("GET", "/v1/sessions")
            _ = try await live.send("DELETE", "/v1/sessions/a-1")
            _ = try await live.send("DELETE", "/v1/sessions/a%0A%1B%5Bx%E2%80%AE")
            _ = try await live.send("POST", "/v1/drain", headers: ["Authorization": "Bearer no"])
            _ = try await live.send("POST", "/v1/denylist", body: #"{"entries": [{"entry": "192.0.2.1"}]}"#)
            _ = try await live.send("POST", "/v1/denylist", body: #"{"entries": [{"entry": "10.0.0.0/99"}]}"#)
            let records = live.audit.withLockedValue { $0 }
            #expect(records.allSatisfy { $0.remote.hasPrefix("127.0.0.1:") })
            let told = records.map {
                "\($0.operation) (\($0.subject)) \($0.hasToken) \($0.status) \($0.refusal ?? "-")"
            }
            #expect(
                told == [
                    "session.close (id=a-1) true 204 -",
                    #"session.close (id=a\n\u001b[x\u202e) true 404 not_found"#,
                    "node.drain () false 401 wrong_token", "denylist.add (1: 192.0.2.1) true 200 -",
                    "denylist.add () true 422 bad_entry",
                ])
        }
    }
}
