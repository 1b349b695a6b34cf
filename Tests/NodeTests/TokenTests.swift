import Foundation
import NIOCore
import Testing
import WasmnetTesting

extension NodeTests {
    /// Tokens as an operator sets them up: the program makes the file, serves by it, and admits a client that has one.
    @Suite struct TokenTests {
        private func withFiles(_ files: [String: String], _ body: (URL) async throws -> Void) async throws {
            let directory = FileManager.default.temporaryDirectory.appending(path: "wasmnet-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: directory) }
            for (name, text) in files { try Data(text.utf8).write(to: directory.appending(path: name)) }
            try await body(directory)
        }

        private static let needed = "clients.require_token = true\nclients.identify_by = \"token\"\n"

        @Test func theProgramsOwnLineLetsItsTokenIn() async throws {
            let (status, output, _) = try await NodeProcess.run(["token", "new", "amy"])
            #expect(status == 0)
            let lines = output.split(separator: "\n").map(String.init)
            let token = try #require(lines.first).replacingOccurrences(of: "token: ", with: "")
            let line = try #require(lines.last).replacingOccurrences(of: "line:  ", with: "")
            let hashed = try await NodeProcess.run(["token", "hash", "amy"], input: token + "\n")
            #expect(hashed.output == line + "\n")
            try await self.withFiles(["policy.toml": Self.needed, "tokens": line + "\n"]) { directory in
                let path = { (name: String) in directory.appending(path: name).path }
                let node = try NodeProcess(
                    ["--port", "0", "--policy", path("policy.toml"), "--log-level", "trace"],
                    environment: ["WASMNET_TOKEN_FILE": path("tokens")])
                let port = try #require(await node.port())
                let client = try await TestClient.connect(
                    port: port, subprotocols: ["wasmnet.v2", "wasmnet.bearer.\(token)"])
                _ = try await client.next()
                #expect(await node.waitFor("client=t:amy"))
                await client.close()
                let refusal = await #expect(throws: TestClient.UpgradeRefused.self) {
                    try await TestClient.connect(port: port, path: "/?token=\(token)x")
                }
                #expect(refusal?.status == 401)
                #expect(await node.waitFor("token refused"))
                node.signal(SIGTERM)
                #expect(await node.wait() == 0)
                _ = await node.wholeLog()
                #expect(!node.log.contains(token))
            }
        }

        @Test func aPolicyThatAsksForTokensNeedsKeys() async throws {
            for policy in ["clients.require_token = true\n", "clients.identify_by = \"token\"\n"] {
                try await self.withFiles(["policy.toml": policy]) { directory in
                    let (status, _, errors) = try await NodeProcess.run(
                        ["--port", "0", "--policy", directory.appending(path: "policy.toml").path])
                    #expect(status == 2)
                    #expect(errors.contains("the policy asks for tokens, but there is neither"), "\(errors)")
                }
            }
        }

        @Test func aTierThatThePolicyDoesNotHaveIsAnError() async throws {
            let hash = String(repeating: "ab", count: 32)
            try await self.withFiles(["tokens": "\(hash) amy gold\n"]) { directory in
                let (status, _, errors) = try await NodeProcess.run(
                    [
                        "--port", "0", "--policy", "policy.example.toml", "--token-file",
                        directory.appending(path: "tokens").path,
                    ])
                #expect(status == 2)
                #expect(errors.contains("names the tier gold"), "\(errors)")
            }
        }

        /// A secret in the wrong place is not repeated in the error message about it.
        @Test func complaintsHoldNoSecret() async throws {
            let secret = "a-secret-that-nobody-may-see-in-a-log"
            try await self.withFiles(["secret": secret, "short": "tooshortsecret"]) { directory in
                for arguments in [
                    ["--jwt-key-file", directory.appending(path: "secret").path],
                    ["--jwks-file", directory.appending(path: "secret").path],
                    ["--token-file", directory.appending(path: "secret").path],
                    ["--jwt-key-file", "HS256:" + directory.appending(path: "short").path],
                ] {
                    let (status, _, errors) = try await NodeProcess.run(["--port", "0"] + arguments)
                    #expect(status == 2)
                    #expect(!errors.contains(secret) && !errors.contains("tooshort"), "\(errors)")
                }
            }
            let (status, output, errors) = try await NodeProcess.run(["token", "hash", "amy"], input: "sh0rt\n")
            #expect(status == 2)
            #expect(!(output + errors).contains("sh0rt"))
        }
    }
}
