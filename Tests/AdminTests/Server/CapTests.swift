import Testing
import WasmnetAdmin

/// Connections that are held open do not keep others out.
@Suite(.timeLimit(.minutes(1))) struct CapTests {
    private static let four = LiveServer.impatient { $0.connections = 4 }

    /// A request on a connection that stays, and its answer.
    private func ping(_ connection: Connection, _ live: LiveServer, answers: Int = 1) async throws -> Bool {
        try await connection.write(live.request("GET", "/livez", headers: ["Connection": nil]))
        let text = await connection.text { $0.split(separator: "alive").count > answers }
        return text.split(separator: "alive").count > answers
    }

    /// Is in the middle of a request while it is open; false if the server ended it.
    private func watch(_ connection: Connection, _ live: LiveServer) async throws -> Bool {
        try? await connection.write(live.request("GET", "/v1/events", headers: ["Connection": nil]))
        return await connection.text(until: "data: ").contains("data: ")
    }

    @Test func atTheCapTheOneThatWasIdleLongestGivesWay() async throws {
        try await LiveServer.with(Self.four) { live async throws in
            let port = live.address.port
            try await Connection.with(port: port) { one async throws in
                #expect(try await self.ping(one, live))
                try await Connection.with(port: port) { two async throws in
                    #expect(try await self.ping(two, live))
                    // One is the younger now.
                    #expect(try await self.ping(one, live, answers: 2))
                    try await Connection.with(port: port) { three async throws in
                        #expect(try await self.ping(three, live))
                        _ = await two.rest()
                        #expect(try await self.ping(one, live, answers: 3))
                        // Half of the places are for one address; another finds room.
                        try await Connection.with(port: port, from: "127.0.0.2") { other async throws in
                            #expect(try await self.ping(other, live))
                            #expect(try await self.ping(three, live, answers: 2))
                            #expect(try await self.ping(one, live, answers: 4))
                        }
                    }
                }
            }
        }
    }

    @Test func oneThatNeverAskedAnythingGivesWayAsWell() async throws {
        try await LiveServer.with(Self.four) { live async throws in
            let port = live.address.port
            try await Connection.with(port: port) { silent async throws in
                try await Connection.with(port: port) { two async throws in
                    for _ in 0..<10 { #expect(try await live.send("GET", "/readyz").status == 200) }
                    #expect(await silent.rest().isEmpty)
                    #expect(await two.rest().isEmpty)
                }
            }
        }
    }

    @Test func oneInTheMiddleOfARequestStaysAndTheNewOneIsRefused() async throws {
        try await LiveServer.with(Self.four) { live async throws in
            let port = live.address.port
            try await Connection.with(port: port) { one async throws in
                try await Connection.with(port: port) { two async throws in
                    #expect(try await self.watch(one, live))
                    #expect(try await self.watch(two, live))
                    #expect(try await !Connection.with(port: port) { try await self.watch($0, live) })
                    try await Connection.with(port: port, from: "127.0.0.2") { three async throws in
                        try await Connection.with(port: port, from: "127.0.0.2") { four async throws in
                            #expect(try await self.watch(three, live))
                            #expect(try await self.watch(four, live))
                            // No place is left for any client.
                            #expect(
                                try await !Connection.with(port: port, from: "127.0.0.3") {
                                    try await self.watch($0, live)
                                })
                        }
                    }
                    while try await !Connection.with(port: port, from: "127.0.0.3", { try await self.watch($0, live) })
                    {}
                }
            }
        }
    }
}
