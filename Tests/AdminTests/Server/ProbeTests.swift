import NIOConcurrencyHelpers
import Testing
import WasmnetAdmin

/// Health and metrics answer the requests of probes and scrapers.
@Suite(.timeLimit(.minutes(1))) struct ProbeTests {
    /// The request of each, with `PATH` for the path.
    static let probes: [(String, String)] = [
        ("HAProxy, httpchk GET PATH", "GET PATH HTTP/1.0\r\n\r\n"),
        ("HAProxy with a version", "GET PATH HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        ("HAProxy, httpchk HEAD", "HEAD PATH HTTP/1.0\r\n\r\n"),
        (
            "kubelet",
            "GET PATH HTTP/1.1\r\nHost: 10.1.2.3:9100\r\nUser-Agent: kube-probe/1.31\r\nAccept: */*\r\n"
                + "Connection: close\r\n\r\n"
        ),
        (
            "AWS load balancers",
            "GET PATH HTTP/1.1\r\nHost: 10.0.0.7:9100\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n"
                + "Accept-Encoding: gzip, compressed\r\n\r\n"
        ),
        (
            "Google's load balancers",
            "GET PATH HTTP/1.1\r\nHost: 35.191.0.1\r\nUser-Agent: GoogleHC/1.0\r\nConnection: close\r\n\r\n"
        ),
        (
            "Consul",
            "GET PATH HTTP/1.1\r\nHost: node-1.node.consul:9100\r\nUser-Agent: Consul Health Check\r\n"
                + "Accept: text/plain, text/*, */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        ),
        (
            "Prometheus' blackbox exporter",
            "GET PATH HTTP/1.1\r\nHost: wasmnet.example\r\nUser-Agent: Blackbox Exporter/0.25.0\r\n"
                + "Accept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        ),
        (
            "busybox wget",
            "GET PATH HTTP/1.1\r\nHost: node:9100\r\nUser-Agent: Wget\r\nConnection: close\r\n\r\n"
        ),
        ("a cache buster", "GET PATH?probe=1&t=17%zz HTTP/1.1\r\nHost: lb\r\nConnection: close\r\n\r\n"),
        (
            "through a proxy, in absolute form",
            "GET http://node:9100PATH HTTP/1.1\r\nHost: node:9100\r\nConnection: close\r\n\r\n"
        ),
        (
            "Nagios' check_http",
            "GET PATH HTTP/1.1\r\nUser-Agent: check_http/v2.3.3\r\nConnection: close\r\nHost: wasmnet\r\n\r\n"
        ),
    ]

    @Test(arguments: probes.indices, ["/livez", "/readyz"])
    func everyProbeIsAnswered(index: Int, path: String) async throws {
        let (name, text) = Self.probes[index]
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            let request = text.replacing("PATH", with: path)
            let answer = try Answer(try await Connection.exchange(request, port: live.address.port))
            #expect(answer.status == 200, "\(name): \(answer)")
            live.backend.state.withLockedValue { $0.checks[0].problem = "not loaded yet" }
            let after = try Answer(try await Connection.exchange(request, port: live.address.port))
            #expect(after.status == (path == "/readyz" ? 503 : 200), "\(name)")
        }
    }

    @Test(arguments: [
        "GET /metrics HTTP/1.0\r\n\r\n",
        "GET /metrics?collect[]=sessions&x=%zz HTTP/1.1\r\nHost: 127.0.0.1:9100\r\nConnection: close\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost: localhost:9100\r\nUser-Agent: Prometheus/3.0\r\nAccept-Encoding: gzip\r\n"
            + "X-Prometheus-Scrape-Timeout-Seconds: 10\r\nConnection: close\r\n\r\n",
    ]) func everyScraperIsAnswered(request: String) async throws {
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            #expect(try Answer(try await Connection.exchange(request, port: live.address.port)).status == 200)
        }
    }

    /// A page must not read more than the health under a host name of its own.
    @Test(arguments: ["/metrics", "/version", "/v1/sessions", "/", "/nothing"])
    func theRestStillAsksForAHostOfOurs(path: String) async throws {
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            let answer = try await live.send("GET", path, headers: ["Host": "evil.example"])
            #expect(answer.status == 421)
        }
    }

    /// RFC 9112, section 3.2.2: the target's host overrides the field's.
    @Test(arguments: [
        ("http://evil.example", "127.0.0.1", 421), ("http://127.0.0.1", "evil.example", 200),
        ("ftp://127.0.0.1", "127.0.0.1", 400), ("http://localhost:1@evil.example", "localhost", 421),
        ("", "localhost:evil", 421), ("", "[::1]evil", 421), ("", "[::1", 421), ("", "127.0.0.1:1@evil.example", 421),
        ("", "[::1]:9100", 200), ("", "LOCALHOST:", 200),
    ])
    func aTargetInAbsoluteFormNamesTheHost(target: String, field: String, status: Int) async throws {
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            let request = "GET \(target)/metrics HTTP/1.1\r\nHost: \(field)\r\nConnection: close\r\n\r\n"
            let answer = try Answer(try await Connection.exchange(request, port: live.address.port))
            #expect(answer.status == status)
        }
    }

    /// RFC 9112, section 3.2.
    @Test func http11WithoutHostIsNoRequest() async throws {
        try await LiveServer.with(AdminConfiguration(port: 0)) { live async throws in
            let answer = try await live.send("GET", "/livez", headers: ["Host": nil])
            #expect(answer.status == 400)
        }
    }
}
