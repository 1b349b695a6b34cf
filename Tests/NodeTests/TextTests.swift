import Foundation
import NIOCore
import Testing
import WasmnetProtocol
import WasmnetTesting

extension NodeTests {
    /// Untrusted text, against the real program.
    @Suite struct TextTests {
        private func withFile(_ text: String, _ body: (String) async throws -> Void) async throws {
            let file = FileManager.default.temporaryDirectory.appending(path: "wasmnet-\(UUID().uuidString)")
            try Data(text.utf8).write(to: file)
            defer { try? FileManager.default.removeItem(at: file) }
            try await body(file.path)
        }

        @Test func aPolicyWithANULIsNotSound() async throws {
            for text in ["[network]\nallow = [\"*\"]\n\u{0}deny = [\"*\"]\n", "[network]\nallow = [\"a\\u0000b\"]\n"] {
                try await self.withFile(text) { path in
                    let (status, output, errors) = try await NodeProcess.run(["policy", "check", path])
                    #expect(status == 2 && output.isEmpty && errors.contains("\(path):"), "\(output) \(errors)")
                }
            }
        }

        @Test func aNameOfAnyTextIsWrittenIntoATokenFileThatServes() async throws {
            let name = "José \"O'Brien\" #1 50% \u{202E}"
            let (status, output, _) = try await NodeProcess.run(["token", "new", name])
            #expect(status == 0)
            let lines = output.split(separator: "\n")
            let token = try #require(lines.first?.split(separator: " ").last)
            let line = try #require(lines.last).replacingOccurrences(of: "line:  ", with: "")
            #expect(line.split(separator: " ").count == 2)
            try await self.withFile("# clients\r\n\(line)\r\n") { tokens in
                try await self.withFile("clients.identify_by = \"token\"\r\nclients.require_token = true\r\n") {
                    policy in
                    let node = try NodeProcess([
                        "--port", "0", "--policy", policy, "--token-file", tokens, "--log-level", "debug",
                    ])
                    let port = try #require(await node.port())
                    let client = try await TestClient.connect(
                        port: port, subprotocols: ["wasmnet.v2", "wasmnet.bearer.\(token)"])
                    _ = try await client.next()
                    // As commands accept it.
                    #expect(await node.waitFor(#"client="t:José%20%22O%27Brien%22%20%231%2050%25%20%E2%80%AE""#))
                    await client.close()
                    node.signal(SIGTERM)
                    #expect(await node.wait() == 0)
                }
            }
            for bad in ["", "a\u{1B}[31m", "a\u{9B}b", String(repeating: "é", count: 128) + "x"] {
                #expect(try await NodeProcess.run(["token", "new", bad]).status == 2)
            }
        }

        /// Names from a client are logged escaped and truncated, in both formats.
        @Test(arguments: ["text", "json"]) func theLogHoldsNothingRaw(format: String) async throws {
            let node = try NodeProcess(["--port", "0", "--log-level", "debug", "--log-format", format])
            let port = try #require(await node.port())
            let client = try await TestClient.connect(port: port)
            let host = "evil\u{1B}[31m\u{7F}\u{85}\u{9B}1m\u{202E}\u{2066}\u{200F}\u{61C}\u{2028}\u{2029}"
            client.send(.connect(1, host: host + String(repeating: "é", count: 400), port: 1))
            client.send(.resolve(2, name: host))
            #expect(await node.waitFor("open refused"))
            await client.close()
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            let log = await node.wholeLog()
            #expect(log.contains(#"evil\u001b[31m\u007f\u0085\u009b1m\u202e\u2066\u200f\u061c\u2028\u2029"#))
            let raw = log.unicodeScalars.filter { scalar in
                switch scalar.properties.generalCategory {
                case .control: scalar != "\n"
                case .format, .lineSeparator, .paragraphSeparator: true
                default: false
                }
            }
            #expect(raw.isEmpty)
            for line in log.split(separator: "\n") where line.contains("evil") {
                #expect(line.utf8.count < 2 * 256 + 400, "\(line)")
            }
        }

        /// Settings from a file of Windows.
        @Test func aVariableThatEndsInCRIsNamed() async throws {
            let (status, _, errors) = try await NodeProcess.run(
                ["--port", "0"], environment: ["WASMNET_JWT_ISSUER": "me\r", "WASMNET_LOG_LEVEL": "info\r"])
            #expect(status == 2)
            #expect(errors.contains("WASMNET_JWT_ISSUER contains a control character"), "\(errors)")
            #expect(errors.contains("WASMNET_LOG_LEVEL contains a control character") && !errors.contains("\r"))
        }

        /// The content of an argument or a file cannot control the terminal.
        @Test func complaintsSteerNoTerminal() async throws {
            for arguments in [
                ["quota", "show", "x\u{1B}[2J\u{202E}"],
                ["denylist", "add", "x\u{9B}2J", "--admin", "http://127.0.0.1:1"],
                ["policy", "check", "no\u{1B}[2J-such"], ["--no-such\u{1B}[2J"],
            ] {
                let (status, output, errors) = try await NodeProcess.run(arguments)
                #expect(status != 0, "\(arguments)")
                let raw = (output + errors).unicodeScalars.filter {
                    $0 != "\n" && [.control, .format].contains($0.properties.generalCategory)
                }
                #expect(raw.isEmpty && (output + errors).contains("\\u00"), "\(arguments): \(errors)")
            }
        }
    }
}
