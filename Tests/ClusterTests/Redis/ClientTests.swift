import NIOCore
import NIOPosix
import Testing
import WasmnetTesting

@testable import RedisClient

extension WithServers {
    @Suite struct ClientTests {
        @Test func comesBackAfterARestart() async throws {
            let events = LinkEvents()
            try await withServer { server in
                try await withClient(server.url, testOptions(events)) { client in
                    try await client.connect()
                    try await events.next { $0 == .up(server.endpoint) }
                    await server.kill()
                    let lost = try await events.nextDown()
                    #expect(lost == .connectionLost(server.endpoint, "closed by the server"))
                    #expect(try await events.nextDown() == .connectionRefused(server.endpoint))
                    await #expect(throws: RedisError.self) { try await client.send(["PING"]) }
                    try await server.launch()
                    try await events.next { $0 == .up(server.endpoint) }
                    #expect(try await client.send(["PING"]) == .simpleString("PONG"))
                }
            }
        }

        @Test func betweenAttemptsCommandsFailAtOnce() async throws {
            let events = LinkEvents()
            let url = RedisURL(topology: .single(.host("127.0.0.1", port: try await RedisServer.freePort())))
            var options = testOptions(events)
            options.backoff = Backoff(base: .hours(1), cap: .hours(1))
            options.random = { 1 }
            options.commandDeadline = .hours(1)
            try await withClient(url, options) { client in
                let reason = try #require(try await events.nextDown())
                await #expect(throws: RedisError.unavailable("\(reason)")) { try await client.send(["PING"]) }
            }
        }

        @Test func duringAnAttemptCommandsWaitForTheirDeadlines() async throws {
            let silent = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
            let port = try #require(silent.localAddress?.port)
            let url = RedisURL(topology: .single(.host("127.0.0.1", port: port)))
            var options = testOptions()
            options.connectTimeout = .hours(1)
            options.maxInFlight = 1
            try await withClient(url, options) { client in
                let first = client.submit(["PING"], deadline: .milliseconds(30))
                await #expect(throws: RedisError.overloaded(inFlight: 1)) { try await client.send(["PING"]) }
                #expect(await failure(of: first) as? RedisError == .deadline(.milliseconds(30)))
            }
            try await silent.close()
        }

        @Test func aScriptIsSentOnceUntilTheServerForgetsIt() async throws {
            let script = RedisScript("return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}")
            try await withServer { server in
                try await withClient(server.url) { client in
                    for run in 1...4 {
                        if run == 3 { try await client.send(["SCRIPT", "FLUSH"]) }
                        let reply = try await client.evaluate(script, keys: ["n"], arguments: [7])
                        #expect(reply.array?.map { $0.int64 ?? -1 } == [-1, 7, Int64(run)])
                    }
                    let statistics = try await client.send(["INFO", "commandstats"]).string ?? ""
                    #expect(statistics.contains("cmdstat_eval:calls=2,"))
                    #expect(statistics.contains("cmdstat_evalsha:calls=4,"))
                }
            }
        }

        @Test func anErrorReplyIsThrownAndLeavesTheConnection() async throws {
            let events = LinkEvents()
            try await withServer { server in
                try await withClient(server.url, testOptions(events)) { client in
                    try await client.send(["SET", "text", "x"])
                    await #expect(
                        throws: RedisError.server(
                            RedisServerError(line: "ERR value is not an integer or out of range"))
                    ) { try await client.send(["INCR", "text"]) }
                    let results = await client.pipeline([["INCR", "n"], ["INCR", "text"], ["INCR", "n"]])
                    #expect(results.map { (try? $0.get())?.int } == [1, nil, 2])
                    // One client has connected and stayed, and this one asks.
                    let clients = try await client.send(["CLIENT", "LIST"]).string ?? ""
                    #expect(clients.split(separator: "\n").count == 1)
                }
            }
        }

        @Test func aServerThatIsNoMasterIsLeft() async throws {
            let events = LinkEvents()
            try await withServer { server in
                try await withClient(server.url, testOptions(events)) { client in
                    try await client.connect()
                    try await client.send(["REPLICAOF", "127.0.0.1", 1])
                    await #expect {
                        try await client.send(["SET", "a", "b"])
                    } throws: { error in
                        guard case RedisError.server(let error) = error else { return false }
                        return error.code == "READONLY"
                    }
                    let reason = try await events.nextDown()
                    guard case .server(let error) = reason, error.code == "READONLY" else {
                        Issue.record("left for \(String(describing: reason))")
                        return
                    }
                    try await server.command("REPLICAOF", "NO", "ONE")
                    try await events.next { $0 == .up(server.endpoint) }
                    try await client.send(["SET", "a", "b"])
                }
            }
        }

        @Test func aWrongPasswordIsToldAtTheStart() async throws {
            try await withServer("port PORT\nrequirepass right") { server in
                let url = try RedisURL("redis://:wr0ng@127.0.0.1:\(server.port)")
                try await withClient(url) { client in
                    await #expect(throws: RedisError.wrongPassword(server.endpoint)) { try await client.connect() }
                    await #expect(throws: RedisError.self) { try await client.send(["PING"]) }
                }
            }
        }

        @Test func aCommandWaitingForItsReplyFailsOnClose() async throws {
            try await withServer { server in
                let client = try RedisClient(server.url, options: testOptions(), group: group)
                try await client.connect()
                let blocked = client.submit(["BLPOP", "nothing", 0], deadline: .hours(1))
                await client.close()
                #expect(await failure(of: blocked) as? RedisError == .closed)
            }
        }
    }
}
