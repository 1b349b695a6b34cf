import NIOCore
import Testing
import WasmnetAdmin

/// Slow, large or excess requests are ended, and others are served meanwhile.
@Suite(.timeLimit(.minutes(1))) struct LimitTests {
    @Test func aHeaderThatNeverEndsIsTimedOut() async throws {
        try await LiveServer.with(LiveServer.impatient { $0.headerTime = .milliseconds(200) }) { live async throws in
            let answer = try await Connection.exchange("GET /livez HTTP/1.1\r\nHost: local", port: live.address.port)
            #expect(answer.isEmpty, "closed")
            // Complete ones are answered, in case one was late on a busy machine.
            while (try? await live.send("GET", "/livez").status) != 200 {}
        }
    }

    @Test func aSlowBodyIsTimedOut() async throws {
        try await LiveServer.with(LiveServer.impatient()) { live async throws in
            let answer = try await Connection.with(port: live.address.port) { connection in
                try await connection.write(
                    live.request("POST", "/v1/denylist", body: "", headers: ["Content-Length": "1000"]))
                // Each byte is progress, and yet the whole has its time limit.
                while connection.soFar.isEmpty {
                    try? await connection.write(" ")
                    #expect(try await live.send("GET", "/livez").status == 200)
                }
                return await connection.rest()
            }
            #expect(try Answer(answer).status == 408)
            #expect(try Answer(answer).code == "request_timeout")
        }
    }

    @Test func anIdleConnectionIsClosed() async throws {
        let configuration = LiveServer.impatient { $0.idleTime = .milliseconds(100) }
        try await LiveServer.with(configuration) { live async throws in
            let answers = try await Connection.with(port: live.address.port) { connection in
                for _ in 0..<2 {
                    try await connection.write(live.request("GET", "/livez", headers: ["Connection": nil]))
                }
                return await connection.rest()
            }
            #expect(answers.split(separator: "HTTP/1.1 200 OK").count == 2, "both answered, then closed by the server")
        }
    }

    @Test func aHeaderAboveTheLimitAndBytesThatAreNoRequestAreRejected() async throws {
        try await LiveServer.with { live async throws in
            let large = try await live.send(
                "GET", "/livez", headers: ["X-Large": String(repeating: "x", count: 20_000)])
            #expect(large.status == 431)
            #expect(large.code == "header_too_large")
            for nonsense in [
                "\u{16}\u{3}\u{1}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            ] {
                let answer = try Answer(try await Connection.exchange(nonsense, port: live.address.port))
                #expect(answer.status == 400, "\(nonsense)")
                #expect(answer.code == "bad_request", "\(nonsense)")
            }
        }
    }

    @Test(arguments: [
        "*", "http://", "http://?", "//", "/%", "/%zz", "/%ff", "/v1/quota/", "/v1/policy/explain?destination", "?",
        "/?=&&=", "/a?%",
        "/v1/sessions/%2e%2e", "/./livez", "/livez/", "/LIVEZ", "example.com:443",
    ])
    func targetsThatLeadNowhereAreAnsweredAndTheServerLives(target: String) async throws {
        try await LiveServer.with { live async throws in
            for method in ["GET", "DELETE", "CONNECT"] {
                let answer = try await live.send(method, target)
                #expect((400...499).contains(answer.status), "\(method) \(target): \(answer.status)")
                #expect(answer.code != nil, "\(method) \(target)")
            }
            #expect(try await live.send("GET", "/livez").status == 200)
        }
    }

    @Test func aChunkedBodyAboveTheLimitIsRejected() async throws {
        try await LiveServer.with { live async throws in
            let head = live.request(
                "POST", "/v1/denylist", headers: ["Content-Type": "application/json", "Transfer-Encoding": "chunked"])
            let chunk = "10000\r\n" + String(repeating: " ", count: 65_536) + "\r\n"
            let answer = try Answer(
                try await Connection.exchange(
                    head + String(repeating: chunk, count: 17) + "0\r\n\r\n", port: live.address.port))
            #expect(answer.status == 413)
            #expect(answer.code == "too_large")
        }
    }

    @Test(arguments: ["zz\r\n", "5\r\nabcdefgh\r\n", "-1\r\n\r\n", "FFFFFFFFFFFFFFFFFF\r\n"])
    func aMalformedChunkedBodyIsRejected(body: String) async throws {
        try await LiveServer.with { live async throws in
            let head = live.request(
                "POST", "/v1/denylist", headers: ["Content-Type": "application/json", "Transfer-Encoding": "chunked"])
            let answer = try Answer(try await Connection.exchange(head + body, port: live.address.port))
            #expect(answer.status == 400)
            #expect(answer.code == "bad_request")
            #expect(try await live.send("GET", "/livez").status == 200)
        }
    }

    @Test func aBodyOfExactlyTheLimitIsAccepted() async throws {
        try await LiveServer.with { live async throws in
            let body = #"{"entries": ["192.0.2.1"]}"#
            let padded = body + String(repeating: " ", count: (1 << 20) - body.utf8.count)
            #expect(try await live.send("DELETE", "/v1/denylist", body: padded).status == 200)
        }
    }

    @Test func aClientThatReadsNothingIsClosed() async throws {
        let large = AdminDocument(
            path: "/large", contentType: "text/plain", bytes: ByteBuffer(repeating: 0x20, count: 16 << 20))
        let configuration = LiveServer.impatient { limits in
            limits.connections = 1
            limits.stalledTime = .milliseconds(200)
            limits.idleTime = .seconds(3_600)
        }
        try await LiveServer.with(configuration, documents: [large]) { live async throws in
            try await Connection.with(port: live.address.port, reads: false) { connection async throws in
                try await connection.write(live.request("GET", "/large"))
                // There is one place: others are refused until the first is gone.
                while (try? await live.send("GET", "/livez").status) != 200 { await Task.yield() }
                #expect(connection.soFar.isEmpty)
            }
            // A client that reads it gets it completely, in case a busy machine stalls for as long.
            while (try? await live.send("GET", "/large").body.utf8.count) != 16 << 20 {}
        }
    }
}
