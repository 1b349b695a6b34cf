import NIOConcurrencyHelpers
import NIOCore
import Testing
import WasmnetTesting

@testable import RedisClient

extension WithServers {
    @Suite struct SentinelTests {
        /// A master, its replica, and a sentinel that knows both.
        private func withSentinel(
            _ body: (_ master: RedisServer, _ replica: RedisServer, _ sentinel: RedisServer) async throws -> Void
        ) async throws {
            try await withServer { master in
                let configuration = """
                    port PORT
                    repl-diskless-sync-delay 0
                    replicaof 127.0.0.1 \(master.port)
                    """
                try await withServer(configuration) { replica in
                    #expect(await replica.output.shows("MASTER <-> REPLICA sync: Finished with success"))
                    let sentinel = try await RedisServer.start(
                        """
                        port PORT
                        sentinel monitor main 127.0.0.1 \(master.port) 1
                        sentinel down-after-milliseconds main 400
                        sentinel failover-timeout main 1000
                        """, sentinel: true)
                    #expect(await sentinel.output.shows("+slave slave 127.0.0.1:\(replica.port)"))
                    do {
                        try await body(master, replica, sentinel)
                    } catch {
                        await sentinel.stop()
                        throw error
                    }
                    await sentinel.stop()
                }
            }
        }

        @Test func followsTheMaster() async throws {
            let events = LinkEvents()
            try await withSentinel { master, replica, sentinel in
                // The first sentinel of the URL is down; the second has to be asked.
                let absent = RedisEndpoint.host("127.0.0.1", port: try await RedisServer.freePort())
                let url = RedisURL(
                    topology: .sentinel([absent, sentinel.endpoint], master: "main", credentials: nil))
                var options = testOptions(events)
                // Without the sentinels' report of a new master the next attempt would be an hour away.
                options.backoff = Backoff(base: .hours(1), cap: .hours(1))
                options.random = { 1 }
                let isDown = LinkEvents()
                options.observer = { event in
                    events.observer(event)
                    isDown.observer(event)
                }
                try await withClient(url, options) { client in
                    try await client.connect()
                    try await events.next { $0 == .up(master.endpoint) }
                    try await client.send(["SET", "k", "before"])
                    #expect(try await client.send(["WAIT", 1, 5000]).int == 1)
                    await master.kill()
                    try await isDown.nextDown()
                    try await events.next { $0 == .up(replica.endpoint) }
                    #expect(try await client.send(["GET", "k"]).string == "before")
                    try await client.send(["SET", "k", "after"])
                }
            }
        }

        @Test func aServerThatIsNoMasterIsNotTaken() async throws {
            let events = LinkEvents()
            try await withServer { server in
                try await server.command("REPLICAOF", "127.0.0.1", 1)
                let port = String(server.port)
                let sentinel = try await ScriptedServer { words in
                    words == ["SENTINEL", "get-master-addr-by-name", "main"]
                        ? "*2\r\n$9\r\n127.0.0.1\r\n$\(port.count)\r\n\(port)\r\n" : "*-1\r\n"
                }
                let url = RedisURL(topology: .sentinel([sentinel.endpoint], master: "main", credentials: nil))
                try await withClient(url, testOptions(events)) { client in
                    await #expect(throws: RedisError.unavailable("\(server.endpoint) is not a master")) {
                        try await client.connect()
                    }
                    try await server.command("REPLICAOF", "NO", "ONE")
                    try await events.next { $0 == .up(server.endpoint) }
                }
                await sentinel.close()
            }
        }

        /// Before the connection, and also those without a connection.
        @Test func everyServerIsToldOf() async throws {
            let found = NIOLockedValueBox<Set<RedisEndpoint>>([])
            try await withSentinel { master, replica, sentinel in
                var options = testOptions()
                options.serverFound = { server in found.withLockedValue { _ = $0.insert(server) } }
                let url = RedisURL(
                    topology: .sentinel([.host("localhost", port: sentinel.port)], master: "main", credentials: nil))
                try await withClient(url, options) { client in
                    try await client.connect()
                    #expect(
                        found.withLockedValue { $0 }.isSuperset(of: [
                            master.endpoint, replica.endpoint, .host("localhost", port: sentinel.port),
                            sentinel.endpoint,
                        ]))
                }
            }
        }

        @Test func anUnknownMasterIsNamed() async throws {
            let sentinel = try await ScriptedServer { _ in "*-1\r\n" }
            let url = RedisURL(topology: .sentinel([sentinel.endpoint], master: "main", credentials: nil))
            try await withClient(url) { client in
                await #expect {
                    try await client.connect()
                } throws: { error in
                    guard case RedisError.noMaster("main", let words) = error else { return false }
                    return words.contains("\(sentinel.endpoint) does not know it")
                }
            }
            await sentinel.close()
        }
    }
}
