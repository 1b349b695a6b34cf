import Logging
import NIOPosix
import NIOConcurrencyHelpers
import PrometheusMetrics
import Testing
import WasmnetAdmin

/// Which clients are admitted.
@Suite(.timeLimit(.minutes(1))) struct GateTests {
    @Test(arguments: [
        nil, "", "Bearer", "Bearer ", "Bearer wrong", "Basic \(LiveServer.token)", LiveServer.token,
        "Bearer \(LiveServer.token)x", "Bearer \(LiveServer.token.dropLast())",
        "Bearer \(LiveServer.token.uppercased())",
        "Bearer \(LiveServer.token) \(LiveServer.token)",
    ])
    func onlyTheTokenIsAdmitted(authorization: String?) async throws {
        try await LiveServer.with { live async throws in
            for (method, path) in [("GET", "/v1/sessions"), ("DELETE", "/v1/sessions/a-1"), ("GET", "/metrics")] {
                let answer = try await live.send(method, path, headers: ["Authorization": authorization])
                #expect(answer.status == 401, "\(method) \(path)")
                #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer ") == true)
                #expect(answer.code == "no_token" || answer.code == "wrong_token")
            }
            #expect(live.backend.state.withLockedValue { $0.sessions.count } == 3, "nothing was done")
            for path in ["/livez", "/readyz", "/openapi.json"] {
                #expect(
                    try await live.send("GET", path, headers: ["Authorization": authorization]).status == 200, "\(path)"
                )
            }
        }
    }

    @Test func theSchemeMayBeInAnyCase() async throws {
        try await LiveServer.with { live async throws in
            let answer = try await live.send(
                "GET", "/version", headers: ["Authorization": "bEARER \(LiveServer.token)"])
            #expect(answer.status == 200)
        }
    }

    @Test func metricsAreOpenWhereTheConfigurationSaysSo() async throws {
        var configuration = LiveServer.withToken
        configuration.metricsNeedToken = false
        try await LiveServer.with(configuration) { live async throws in
            #expect(try await live.send("GET", "/metrics", headers: ["Authorization": nil]).status == 200)
            #expect(try await live.send("GET", "/version", headers: ["Authorization": nil]).status == 401)
        }
    }

    @Test(
        arguments: [
            ("0.0.0.0", nil), ("::", nil), ("192.0.2.1", nil), ("127.0.0.1.example", nil), ("127.0.0", nil),
            ("127.0.0.256", nil),
            ("127.0.0.1", "short"), ("127.0.0.1", "with a blank in the token"), ("127.0.0.1", ""),
            ("", LiveServer.token),
        ] as [(String, String?)])
    func aTokenIsRequiredBeyondLoopbackAndMustBeWellFormed(
        host: String, token: String?
    ) throws {
        #expect(throws: AdminConfigurationError.self) { _ = try server(AdminConfiguration(host: host, token: token)) }
    }

    @Test(
        arguments: [
            ("localhost", nil), ("127.0.0.1", nil), ("127.9.9.9", nil), ("::1", nil), ("0.0.0.0", LiveServer.token),
        ] as [(String, String?)])
    func loopbackNeedsNoToken(host: String, token: String?) throws {
        _ = try server(AdminConfiguration(host: host, token: token))
    }

    @Test func limitsOutOfRangeAreAnError() throws {
        for change in [
            { @Sendable (limits: inout AdminConfiguration.Limits) in limits.bodyBytes = 0 }, { $0.requestTime = .zero },
            { $0.connections = -1 }, { $0.eventInterval = .seconds(1_000_000) },
        ] as [@Sendable (inout AdminConfiguration.Limits) -> Void] {
            var configuration = LiveServer.withToken
            change(&configuration.limits)
            #expect(throws: AdminConfigurationError.self) { _ = try server(configuration) }
        }
        var configuration = LiveServer.withToken
        configuration.port = 65_536
        #expect(throws: AdminConfigurationError.self) { _ = try server(configuration) }
    }

    private func server(_ configuration: AdminConfiguration) throws -> AdminServer {
        try AdminServer(
            configuration, backend: FakeBackend(), registry: try PrometheusRegistry(),
            eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: Logger(label: "admin"))
    }

    @Test func onLoopbackWithoutATokenNoTokenIsRequired() async throws {
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            #expect(try await live.send("GET", "/v1/sessions", headers: ["Authorization": nil]).status == 200)
            #expect(try await live.send("DELETE", "/v1/sessions/a-1", headers: ["Authorization": nil]).status == 204)
            #expect(live.audit.withLockedValue { $0.map(\.hasToken) } == [false])
        }
    }

    @Test(arguments: [
        "evil.example", "evil.example:9100", "127.0.0.1.evil.example", "", "localhost.evil.example", "[::2]",
        "10.0.0.1",
    ])
    func onLoopbackAForeignHostIsRejected(host: String) async throws {
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            let answer = try await live.send("DELETE", "/v1/sessions/a-1", headers: ["Host": host])
            #expect(answer.status == 421)
            #expect(answer.code == "wrong_host")
            #expect(live.backend.state.withLockedValue { $0.sessions.count } == 3)
        }
    }

    @Test(arguments: [
        "localhost", "LOCALHOST:1", "127.0.0.1", "127.1.2.3:80", "[::1]:9100", "node.localhost", "proxy.example:8443",
    ])
    func loopbackNamesAndConfiguredNamesAreAccepted(host: String) async throws {
        var configuration = AdminConfiguration(port: 0)
        configuration.allowedHosts = ["Proxy.example"]
        try await LiveServer.with(configuration) { live async throws in
            #expect(try await live.send("GET", "/version", headers: ["Host": host]).status == 200)
        }
    }

    @Test func pagesOfOtherOriginsAreRejectedAndOurOwnAreNot() async throws {
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            let own = "127.0.0.1:\(live.address.port)"
            for (name, value) in [
                ("Origin", "http://evil.example"), ("Origin", "null"), ("Origin", "http://127.0.0.1:1"),
                ("Origin", "http://" + own + ".e"),
                ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"),
            ] {
                let answer = try await live.send("POST", "/v1/drain", headers: [name: value])
                #expect(answer.status == 403, "\(name): \(value)")
                #expect(answer.headers.keys.allSatisfy { !$0.hasPrefix("access-control-") })
            }
            for (name, value) in [
                ("Origin", "http://" + own), ("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "none"),
            ] {
                #expect(
                    try await live.send("POST", "/v1/drain", headers: [name: value]).status == 202, "\(name): \(value)")
            }
            // The permission that a page of another site would need first.
            let preflight = try await live.send("OPTIONS", "/v1/drain")
            #expect(preflight.status == 405)
            #expect(preflight.headers.keys.allSatisfy { !$0.hasPrefix("access-control-") })
        }
    }

    /// RFC 9112, section 3.2.
    @Test(arguments: ["Host: evil.example", "host: 127.0.0.1", "HOST:"])
    func aRequestWithTwoHostFieldsIsRejected(second: String) async throws {
        try await LiveServer.with { live async throws in
            for method in ["GET", "DELETE"] {
                let request = live.request(method, "/v1/sessions/a-1").replacing(
                    "\r\n\r\n", with: "\r\n\(second)\r\n\r\n")
                let answer = try Answer(try await Connection.exchange(request, port: live.address.port))
                #expect(answer.status == 400 && answer.code == "bad_request")
                #expect(answer.body.contains("one Host field"))
            }
        }
    }
}
