import NIOConcurrencyHelpers
import Testing
import WasmnetAdmin

@Suite(.timeLimit(.minutes(1))) struct EventTests {
    private func quick() -> AdminConfiguration {
        var configuration = LiveServer.withToken
        configuration.limits.eventInterval = .milliseconds(5)
        return configuration
    }

    @Test func snapshotsComeOneAfterAnotherNumberedAsJSON() async throws {
        try await LiveServer.with(quick()) { live async throws in
            let text = try await Connection.with(port: live.address.port) { connection in
                try await connection.write(live.request("GET", "/v1/events"))
                return await connection.text(until: "id: 4")
            }
            #expect(
                text.contains("content-type: text/event-stream") || text.contains("Content-Type: text/event-stream"))
            #expect(text.contains("retry: 2000\n\n"))
            for number in 1...3 { #expect(text.contains("event: snapshot\nid: \(number)\ndata: {")) }
            let data = try #require(text.split(separator: "\n").first { $0.hasPrefix("data: ") })
            let snapshot = try #require(JSONValue(String(data.dropFirst(6))))
            #expect(snapshot["groups"]?["denials"]?["policy_denied"]?.number == 1)
            #expect(snapshot["nodes"]?.array.first?["denylist_version"]?.number == 9)
            #expect(snapshot["quantiles"]?["dial_seconds"]?["0.99"]?.string == "Infinity")
        }
    }

    @Test func aClientThatGoesMakesRoomForTheNext() async throws {
        var configuration = quick()
        configuration.limits.eventClients = 2
        try await LiveServer.with(configuration) { live async throws in
            let refused = try await EventReader.answer(of: live, others: 2)
            #expect(refused.status == 503)
            #expect(refused.code == "too_many_streams")
            // The two are gone; the server notices when it next writes to them.
            while true {
                let answer = try await EventReader.answer(of: live, others: 0)
                if answer.status == 200 { break }
                #expect(answer.status == 503)
            }
        }
    }

    @Test func aShutdownEndsTheEventsAndLetsThemFinish() async throws {
        try await LiveServer.with { live async throws in
            let text = try await Connection.with(port: live.address.port) { connection in
                try await connection.write(live.request("GET", "/v1/events"))
                let start = await connection.text(until: "event: snapshot")
                await live.shutDown()
                return start + (await connection.rest())
            }
            #expect(text.hasSuffix("0\r\n\r\n"), "the body is finished, not cut off")
        }
    }

    /// Its place is then free for another.
    @Test func aReaderThatTakesNothingIsClosed() async throws {
        let configuration = LiveServer.impatient { limits in
            limits.requestTime = .seconds(10)
            limits.eventClients = 1
            limits.eventInterval = .milliseconds(1)
            limits.stalledTime = .milliseconds(200)
        }
        let backend = FakeBackend()
        // More than the kernel buffers for a client that does not read.
        backend.state.withLockedValue { $0.nodes = 200_000 }
        try await LiveServer.with(configuration, backend) { live async throws in
            try await Connection.with(port: live.address.port, reads: false) { stalled async throws in
                try await stalled.write(live.request("GET", "/v1/events"))
                while backend.state.withLockedValue({ $0.snapshots == 0 }) { await Task.yield() }
                backend.state.withLockedValue { $0.nodes = 1 }
                while true {
                    let answer = try await Connection.with(port: live.address.port) { other in
                        try await other.write(live.request("GET", "/v1/events"))
                        return await other.text(until: "\r\n")
                    }
                    if answer.hasPrefix("HTTP/1.1 200 ") { break }
                }
            }
        }
    }

    @Test(arguments: [(FakeBackend.Mood.broken, "internal"), (.stuck, "timeout")])
    func aFailureIsAnsweredWithACommentAndTheEventsGoOn(mood: FakeBackend.Mood, code: String)
        async throws
    {
        let configuration = LiveServer.impatient { limits in
            limits.requestTime = .milliseconds(20)
            limits.eventInterval = .milliseconds(5)
        }
        try await LiveServer.with(configuration, FakeBackend(mood)) { live async throws in
            try await Connection.with(port: live.address.port) { connection in
                try await connection.write(live.request("GET", "/v1/events"))
                #expect(await connection.text(until: ": \(code)\n\n").contains(": \(code)\n\n"))
                live.backend.letGo()
                #expect(await connection.text(until: "event: snapshot").contains("event: snapshot"))
            }
        }
    }
}
