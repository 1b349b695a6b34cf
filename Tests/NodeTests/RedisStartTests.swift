import Foundation
import NIOCore
import NIOPosix
import Testing
import WasmnetProtocol
import WasmnetTesting

extension NodeTests {
    /// A misconfigured or unreachable Redis at the program's start.
    @Suite struct RedisStartTests {
        private static let secret = "hunter2hunter2"

        /// The error is one line with the fault and its place, and without any secret.
        ///
        /// - Parameter mayPass: whether it may resolve itself, so that trying again may help.
        private func fails(
            _ url: String, _ arguments: [String] = [], saying words: String, mayPass: Bool = false
        ) async throws {
            for command in [
                ["serve", "--port", "0", "--no-policy"], ["cluster"], ["quota", "show", "127.0.0.1"],
                ["quota", "reset", "127.0.0.1"], ["denylist", "list"], ["denylist", "add", "192.0.2.7"],
            ] {
                let (status, output, errors) = try await NodeProcess.run(
                    command + arguments, environment: ["WASMNET_REDIS": url])
                #expect(status == (mayPass ? 1 : 2), "\(command) \(errors)")
                let complaints = errors.split(separator: "\n").filter { $0.hasPrefix("wasmnet-node: ") }
                #expect(complaints.count == 1 && complaints[0].contains(words), "\(command) \(errors)")
                #expect(!(output + errors).contains(Self.secret))
            }
        }

        @Test func aWrongPasswordOrDatabaseIsOneLine() async throws {
            try await withServer("port PORT\nrequirepass right") { server in
                let place = "127.0.0.1:\(server.port)"
                try await self.fails(
                    "redis://:\(Self.secret)@\(place)", saying: "\(place) does not accept the user or password")
                try await self.fails(
                    "redis://eve:\(Self.secret)@\(place)", saying: "does not accept the user or password")
                try await self.fails("redis://\(place)", saying: "\(place) does not accept the user or password")
                try await self.fails("redis://:right@\(place)/99", saying: "\(place) has no database 99")
            }
        }

        @Test func aCertificateForAnotherNameIsOneLine() async throws {
            let certificate = try TestCertificate(name: "redis.example")
            defer { certificate.remove() }
            let configuration = """
                port 0
                tls-port PORT
                tls-cert-file \(certificate.certificatePath)
                tls-key-file \(certificate.keyPath)
                tls-auth-clients no
                """
            try await withServer(configuration) { server in
                let url = "rediss://:\(Self.secret)@localhost:\(server.port)"
                try await self.fails(
                    url, ["--redis-ca-file", certificate.certificatePath], saying: "TLS with Redis at localhost:")
                try await self.fails(url, saying: "TLS with Redis at localhost:")
                try await self.fails(url, ["--redis-ca-file", "no.pem"], saying: "--redis-ca-file: no.pem")
            }
        }

        @Test func anAddressThatDoesNotAnswerIsOneLine() async throws {
            let port = try await RedisServer.freePort()
            try await self.fails(
                "redis://:\(Self.secret)@127.0.0.1:\(port)", saying: "127.0.0.1:\(port) refuses connections",
                mayPass: true)
            let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .bind(host: "127.0.0.1", port: 0).get()
            let place = "127.0.0.1:\(silent.localAddress?.port ?? 0)"
            try await self.fails(
                "redis://:\(Self.secret)@\(place)", saying: "\(place) does not answer in time", mayPass: true)
            try await silent.close()
            try await self.fails(
                "redis://:\(Self.secret)@no.invalid", saying: "the name of Redis at no.invalid:6379 does not",
                mayPass: true)
            try await self.fails("redis//:\(Self.secret)@nowhere", saying: "WASMNET_REDIS: ")
        }

        /// Redis is reached, and refuses.
        @Test func rightsThatAreMissingStayMissing() async throws {
            try await withServer(
                "port PORT\nuser node on >\(Self.secret) ~* &* +@all -evalsha -eval -hgetall -zrange -hmget"
            ) { server in
                let url = "redis://node:\(Self.secret)@127.0.0.1:\(server.port)"
                for command in [["serve", "--port", "0"], ["denylist", "add", "192.0.2.7"]] {
                    let (status, _, errors) = try await NodeProcess.run(command, environment: ["WASMNET_REDIS": url])
                    #expect(status == 2 && errors.contains("WASMNET_REDIS: ") && errors.contains("NOPERM"), "\(errors)")
                }
            }
        }

        /// Some of the nodes' requests would succeed, and the rest fail for as long as the node runs.
        @Test func aRightThatOnlyScriptsNeedIsNamed() async throws {
            try await withServer("port PORT\nuser node on >\(Self.secret) ~* &* +@all -hget -zadd") { server in
                let url = "redis://node:\(Self.secret)@127.0.0.1:\(server.port)"
                let (status, _, errors) = try await NodeProcess.run(
                    ["serve", "--port", "0", "--no-policy"], environment: ["WASMNET_REDIS": url])
                #expect(status == 2 && errors.contains("this user of Redis may not HGET, ZADD (NOPERM)"), "\(errors)")
            }
        }

        @Test func withoutAnyRedisTheCommandsSayHowToNameIt() async throws {
            for command in [["cluster"], ["quota", "reset", "::1"]] {
                let (status, _, errors) = try await NodeProcess.run(command)
                #expect(status == 2 && errors.contains("--redis or WASMNET_REDIS"), "\(errors)")
            }
        }

        @Test func anOptionalRedisMayBeAwayAndComeLater() async throws {
            let port = try await RedisServer.freePort()
            let node = try NodeProcess(
                ["--port", "0", "--no-policy", "--redis-optional"],
                environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(port)"])
            #expect(await node.port() != nil)
            #expect(node.log.contains("starting without Redis: limits go by redis_failure"))
            let server = try await RedisServer.start(port: port)
            #expect(await node.waitFor("connected to Redis"))
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            await server.stop()
        }

        /// A distant Redis is waited for; an option sets how long it may be silent.
        @Test func howLongRedisMayBeSilentIsAnOption() async throws {
            let policy = FileManager.default.temporaryDirectory.appending(path: "policy-\(UUID().uuidString).toml")
            defer { try? FileManager.default.removeItem(at: policy) }
            try "[network]\nallow = [\"127.0.0.1\"]\nmax_connections = 100\n"
                .write(to: policy, atomically: true, encoding: .utf8)
            let target = try await TestTarget.start(.echo)
            try await withServer("port PORT") { server in
                try await FaultProxy.with(port: server.port) { proxy in
                    let node = try NodeProcess(
                        ["--port", "0", "--policy", policy.path, "--redis-outage", "1"],
                        environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(proxy.port)"])
                    let port = try #require(await node.port())
                    proxy.set(.delay(.milliseconds(120)))
                    let client = try await TestClient.connect(port: port)
                    // Each sends a request, or waits for one that does.
                    for id in SocketID(1)...5 {
                        client.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port)))
                        while true {
                            if case .connected = try await client.nextEvent() { break }
                        }
                        client.send(.close(id))
                    }
                    #expect(!node.log.contains("Redis does not answer"))
                    proxy.set(.silence)
                    #expect(await node.waitFor("limits go by redis_failure: Redis does not answer"))
                    proxy.set(.none)
                    #expect(await node.waitFor("limits are the cluster's again"))
                    await client.close()
                    node.signal(SIGTERM)
                    #expect(await node.wait() == 0)
                }
            }
            await target.stop()
        }

        private static let loss = "Redis restarted or lost data"

        private static func losses(_ node: NodeProcess) -> Int {
            node.log.split(separator: "\n").count { $0.contains(Self.loss) }
        }

        /// Log lines about Redis, at the default level, after the node's start; without those about lost data.
        private static func news(_ node: NodeProcess) -> [String] {
            let lines = node.log.split(separator: "\n").map(String.init)
            return lines.drop { !$0.contains("the admin server listens") }.dropFirst().filter {
                !$0.contains("--no-policy") && !$0.contains(Self.loss)
            }
        }

        /// One that is killed refuses connections, one that is paused keeps them.
        @Test(arguments: [true, false]) func anOutageIsALineWhenItBeginsAndOneWhenItEnds(isKilled: Bool) async throws {
            try await withServer { server in
                let node = try NodeProcess(
                    ["--port", "0", "--no-policy"],
                    environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(server.port)"])
                try #require(await node.admin() != nil)
                // A break that is over at once is not logged.
                await server.kill()
                try await server.launch()
                try await Task.sleep(for: .seconds(2))
                #expect(Self.news(node) == [])
                #expect(await node.waitFor(Self.loss))
                let gone = ContinuousClock.now
                if isKilled { await server.kill() } else { server.pause() }
                try await Task.sleep(for: .seconds(10))
                #expect(await node.waitFor("limits go by redis_failure"))
                let away = gone.duration(to: .now)
                if isKilled { try await server.launch() } else { server.resume() }
                #expect(await node.waitFor("limits are the cluster's again"))
                let all = gone.duration(to: .now)
                // Late answers.
                try await Task.sleep(for: .seconds(2))
                let news = Self.news(node)
                #expect(news.count == 2, "\(news)")
                // One line for each time that its data is gone, once all nodes have declared what they hold.
                let losses = isKilled ? 2 : 1
                for _ in 0..<500 where Self.losses(node) < losses { try await Task.sleep(for: .milliseconds(20)) }
                #expect(Self.losses(node) == losses)
                #expect(
                    news.first?.contains("WARNING") == true && news.first?.contains("mode=static") == true
                        && news.first?.contains(isKilled ? "refuses connections" : "in") == true, "\(news)")
                let seconds = news.last?.firstMatch(of: /silent_seconds=(\d+)/).flatMap { Int($0.1) } ?? 0
                // A Redis that stops without closing is noticed at the next request.
                let silence = (away - .seconds(isKilled ? 2 : 5))...all
                #expect(silence.contains(.seconds(seconds)), "\(news)")
                node.signal(SIGTERM)
                #expect(await node.wait() == 0)
            }
        }

        @Test func aChannelThatIsForbiddenIsCalledThat() async throws {
            try await withServer("port PORT\nuser node on >secret ~wn:* resetchannels +@all") { server in
                let node = try NodeProcess(
                    ["--port", "0", "--no-policy"],
                    environment: ["WASMNET_REDIS": "redis://node:secret@127.0.0.1:\(server.port)"])
                #expect(await node.waitFor("may not subscribe to the denylist's changes"))
                // Attempts continue.
                try await Task.sleep(for: .seconds(3))
                let warnings = node.log.split(separator: "\n").filter {
                    $0.contains("WARNING") && !$0.contains("--no-policy")
                }
                #expect(warnings.count == 1 && warnings[0].contains("NOPERM"), "\(warnings)")
                node.signal(SIGTERM)
                #expect(await node.wait() == 0)
            }
        }

        @Test func aRedisThatEvictsIsAWarningAndAReplicaAnError() async throws {
            try await withServer("port PORT\nmaxmemory 100mb\nmaxmemory-policy allkeys-lru") { master in
                let node = try NodeProcess(
                    ["--port", "0", "--no-policy"], environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(master.port)"])
                #expect(await node.port() != nil)
                #expect(node.log.contains("set noeviction"))
                node.signal(SIGTERM)
                #expect(await node.wait() == 0)
                try await withServer("port PORT\nreplicaof 127.0.0.1 \(master.port)") { replica in
                    let (status, _, errors) = try await NodeProcess.run(
                        ["--port", "0", "--no-policy"],
                        environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(replica.port)"])
                    #expect(status == 2 && errors.contains("read-only replica"), "\(errors)")
                }
            }
        }
    }
}
