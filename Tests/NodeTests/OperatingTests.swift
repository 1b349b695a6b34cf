import Foundation
import NIOCore
import NIOHTTP1
import Testing
import WasmnetProtocol
import WasmnetTesting

extension NodeTests {
    /// The flags and signals of operators, on the program itself.
    @Suite struct OperatingTests {
        @Test func aHangUpReadsThePolicyAgain() async throws {
            let file = FileManager.default.temporaryDirectory.appending(path: "policy-\(UUID().uuidString).toml")
            defer { try? FileManager.default.removeItem(at: file) }
            try "[network]\nallow = [\"127.0.0.1\"]\n".write(to: file, atomically: true, encoding: .utf8)
            let node = try NodeProcess(["--port", "0", "--policy", file.path])
            #expect(await node.port() != nil)
            node.signal(SIGHUP)
            #expect(await node.waitFor("the policy was read again and is in force"))
            try "[network]\nalow = []\n".write(to: file, atomically: true, encoding: .utf8)
            node.signal(SIGHUP)
            #expect(await node.waitFor("the policy's file is wrong; the policy in force stays"))
            #expect(node.log.contains("\(file.lastPathComponent):2:") && node.log.contains("alow"))
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
        }

        @Test func theFirstLineTellsWhereClientsAreServed() async throws {
            let node = try NodeProcess(["--port", "0"])
            #expect(await node.admin() != nil)
            #expect(node.log.split(separator: "\n").first?.contains("listening") == true, "\(node.log)")
            #expect(node.log.split(separator: "\n").first?.contains("default policy") == true, "\(node.log)")
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            // Only the events.
            #expect(await !node.wholeLog().contains("ERROR"))
        }

        @Test func theBrowserClientIsServedOnRequest() async throws {
            func status(_ port: Int, _ path: String) async throws -> String {
                try await ChildProgram.run(
                    "/usr/bin/curl",
                    [
                        "-s", "-o", "/dev/null", "-w", "%{http_code} %{content_type}", "--path-as-is",
                        "http://127.0.0.1:\(port)\(path)",
                    ]
                ).output
            }
            let node = try NodeProcess(["--port", "0", "--serve-client"])
            let port = try #require(await node.port())
            #expect(try await status(port, "/client/wasmnet-client.js") == "200 text/javascript; charset=utf-8")
            #expect(try await status(port, "/client/lib/core.js?v=1") == "200 text/javascript; charset=utf-8")
            #expect(try await status(port, "/playground/") == "200 text/html; charset=utf-8")
            #expect(try await status(port, "/playground").hasPrefix("308"))
            for path in ["/client/", "/client/test/support.js", "/client/../README.md", "/client/.gitignore"] {
                #expect(try await status(port, path).hasPrefix("404"), "\(path)")
            }
            // Sessions are not affected.
            let client = try await TestClient.connect(port: port)
            await client.close()
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            let without = try NodeProcess(["--port", "0"])
            let other = try #require(await without.port())
            #expect(try await status(other, "/client/wasmnet-client.js").hasPrefix("404"))
            without.signal(SIGTERM)
            #expect(await without.wait() == 0)
        }

        /// Also if the log is no longer read: a write to it fails in the same way.
        @Test func aFullDiskCostsTheLogAndNotTheNode() async throws {
            let port = try await RedisServer.freePort()
            let full = try #require(FileHandle(forWritingAtPath: "/dev/full"))
            let node = try SpawnedProcess(
                NodeProgram.executable.path, ["--port", "\(port)", "--no-policy", "--no-admin"], errors: full)
            let target = try await TestTarget.start(.echo)
            let client = try await TestClient.connectWhenPossible(port: port)
            // Each socket's end would be a line.
            for id in SocketID(1)...3 {
                client.send(.connect(id, host: "127.0.0.1", port: UInt16(target.port)))
                client.send(.close(id))
            }
            var closed = 0
            while closed < 3 {
                let event = try await client.nextEvent()
                if case .closed = event { closed += 1 }
            }
            await client.close()
            node.signal(SIGTERM)
            #expect(await node.end() == 0)
            await target.stop()
        }

        /// An open log that is not read: the pipe fills, the node continues, and later reports how much is missing.
        @Test func aLogThatIsStuckCostsLinesAndNotTheNode() async throws {
            let port = try await RedisServer.freePort()
            let policy = FileManager.default.temporaryDirectory.appending(path: "policy-\(UUID().uuidString).toml")
            defer { try? FileManager.default.removeItem(at: policy) }
            try "[network]\nallow = [\"*\"]\n[clients]\ntrusted_proxies = [\"127.0.0.1\"]\n".write(
                to: policy, atomically: true, encoding: .utf8)
            let stuck = Pipe()
            let node = try SpawnedProcess(
                NodeProgram.executable.path, ["--port", "\(port)", "--no-admin", "--policy", policy.path],
                errors: stuck.fileHandleForWriting)
            try stuck.fileHandleForWriting.close()
            let client = try await TestClient.connectWhenPossible(port: port)
            // Each refusal is a line of over 100 bytes: more than a pipe of 64 KiB and the node's 1 MiB. Of one client 20 are logged.
            let count = 14_000
            for number in 0..<count / 20 {
                let other = try await TestClient.connect(
                    port: port, headers: ["X-Forwarded-For": "203.0.\(number / 250).\(number % 250)"])
                _ = try await other.nextEvent()  // hello
                for id in SocketID(1)...20 { other.send(.connect(id, host: "10.1.2.3", port: 80)) }
                for _ in 1...20 { _ = try await other.nextEvent() }
                await other.close()
            }
            let log = OutputLog()
            log.follow(stuck)
            #expect(await log.shows("log lines were dropped: the output was blocked"))
            await client.close()
            node.signal(SIGTERM)
            #expect(await node.end() == 0)
            let lines = await log.whole().split(separator: "\n")
            #expect(lines.last?.contains("ended") == true)
            let lost = lines.compactMap { $0.firstMatch(of: /were dropped.* lines=(\d+)/).flatMap { Int($0.1) } }
            let told = lines.count { $0.contains("open refused") }
            #expect(lost.reduce(told, +) == count, "\(told) lines, \(lost) lost")
        }

        /// It may be free a moment later, so the supervisor should start the node again: 1, not 2.
        @Test func aPortThatCannotBeListenedOnIsSaidInWords() async throws {
            let taken = try await TestTarget.start(.deaf)
            for (arguments, words) in [
                (
                    ["--port", "\(taken.port)"],
                    "the node cannot listen on 127.0.0.1 port \(taken.port): another program"
                ),
                (
                    ["--port", "0", "--admin-port", "\(taken.port)"],
                    "the admin server cannot listen on 127.0.0.1 port \(taken.port): another program listens there"
                ),
                (
                    ["--port", "0", "--host", "192.0.2.1"],
                    "the node cannot listen on 192.0.2.1 port 0: this machine has no"
                ),
                (
                    ["--port", "0", "--host", "no.invalid"],
                    "the node cannot listen on no.invalid port 0: that name has no"
                ),
            ] {
                let (status, _, errors) = try await NodeProcess.run(["serve"] + arguments)
                #expect(status == 1 && errors.contains(words), "\(arguments): \(status) \(errors)")
                #expect(!errors.contains("errno"), "\(errors)")
            }
            await taken.stop()
        }

        @Test func whatTheAdminServerCannotBeIsSaid() async throws {
            for (arguments, words) in [
                (["--admin-host", "0.0.0.0"], "give --admin-token-file"),
                (["--admin-port", "70000"], "--admin-port is 0 to 65535"),
                (
                    ["--admin-token-file", "no-such-file"],
                    "no-such-file: the file cannot be read: No such file or directory"
                ),
                (["--access-log-sample", "2"], "--access-log-sample is 0"),
                (["--shadow-policy", "no-such-file"], "no-such-file"),
                (["--client-dir", "."], "needs --serve-client"),
            ] {
                let (status, _, errors) = try await NodeProcess.run(["serve", "--port", "0"] + arguments)
                #expect(status == 2 && errors.contains(words), "\(arguments): \(status) \(errors)")
            }
            let node = try NodeProcess(["--port", "0", "--no-admin"])
            #expect(await node.port() != nil)
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            #expect(await !node.wholeLog().contains("admin server"))
        }
    }
}
