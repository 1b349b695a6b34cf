import Foundation
import NIOConcurrencyHelpers
import Testing
import WasmnetAdmin

/// One connection for more than one request (RFC 9112, section 9.3).
@Suite(.timeLimit(.minutes(1))) struct PersistenceTests {
    /// The statuses of all answers, one after the other.
    private func statuses(_ text: String) -> [Int] {
        text.matches(of: #/HTTP/1\.[01] ([0-9]{3}) /#).compactMap { Int($0.output.1) }
    }

    @Test func requestsSentAtOnceAreAnsweredInOrder() async throws {
        try await LiveServer.with { live async throws in
            let one = live.request("GET", "/livez", headers: ["Connection": nil])
            let other = live.request("GET", "/nothing", headers: ["Connection": nil])
            let last = live.request("GET", "/version")
            let text = try await Connection.exchange(one + other + last, port: live.address.port)
            #expect(self.statuses(text) == [200, 404, 200])
        }
    }

    /// Each would be answered from within the one before it.
    @Test func anyNumberOfRequestsMayBeSentAtOnce() async throws {
        try await LiveServer.with { live async throws in
            let bad = String(repeating: "GET / HTTP/1.1\r\n\r\n", count: 20_000)
            let first = live.request("GET", "/livez", headers: ["Connection": nil])
            let text = try await Connection.exchange(
                first + bad + live.request("GET", "/version"), port: live.address.port)
            let statuses = self.statuses(text)
            #expect(statuses.count == 20_002 && statuses.first == 200 && statuses.last == 200)
        }
    }

    /// RFC 9112, section 9.6.
    @Test func whatComesBehindTheLastRequestIsNotProcessed() async throws {
        try await LiveServer.with { live async throws in
            let text = try await Connection.exchange(
                live.request("GET", "/livez") + live.request("POST", "/v1/drain"), port: live.address.port)
            #expect(self.statuses(text) == [200])
            #expect(live.audit.withLockedValue { $0 } == [])
        }
    }

    /// NIO's parser reads nothing after a request to change the protocol, so the client must not send another.
    @Test func aConnectionThatAsksForAnotherProtocolEndsWithItsAnswer() async throws {
        try await LiveServer.with { live async throws in
            let text = try await Connection.exchange(
                live.request("GET", "/livez", headers: ["Connection": "Upgrade", "Upgrade": "h2c"]),
                port: live.address.port)
            #expect(try Answer(text).headers["connection"] == "close")
        }
    }

    /// A request refused by its head is answered at once, and its body is not treated as a request.
    @Test func aRefusedRequestsBodyIsThrownAway() async throws {
        try await LiveServer.with { live async throws in
            let body = String(repeating: live.request("GET", "/livez"), count: 20)
            let refused = live.request(
                "PUT", "/v1/log-level", body: body, headers: ["Authorization": "Bearer wrong", "Connection": nil])
            let text = try await Connection.exchange(
                refused + live.request("GET", "/version"), port: live.address.port)
            #expect(self.statuses(text) == [401, 200])
        }
    }

    @Test func aConnectionOfHTTP10EndsWithItsAnswer() async throws {
        try await LiveServer.with { live async throws in
            let text = try await Connection.exchange(
                "GET /livez HTTP/1.0\r\n\r\nGET /livez HTTP/1.0\r\n\r\n", port: live.address.port)
            #expect(self.statuses(text) == [200])
            #expect(try Answer(text).headers["connection"] == "close")
        }
    }

    /// Without a length the end of such an answer is the connection's.
    @Test func theHeadOfTheEventsIsAllThereIs() async throws {
        try await LiveServer.with { live async throws in
            let text = try await Connection.exchange(
                live.request("HEAD", "/v1/events", headers: ["Connection": nil]), port: live.address.port)
            let answer = try Answer(text)
            #expect(answer.status == 200 && answer.headers["content-type"] == "text/event-stream")
            #expect(answer.headers["connection"] == "close")
            #expect(answer.body.isEmpty)
        }
    }

    /// RFC 9110, section 6.6.1.
    @Test func answersTellTheTime() async throws {
        try await LiveServer.with { live async throws in
            let text = try #require(try await live.send("GET", "/livez").headers["date"])
            let form = /(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT/
            #expect(text.wholeMatch(of: form) != nil)
        }
    }
}
