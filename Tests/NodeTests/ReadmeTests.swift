import Foundation
import NIOCore
import Testing
import WasmnetTesting

extension NodeTests {
    /// The commands and snippets of the README and the guides, run unchanged.
    @Suite struct ReadmeTests {
        private static let pages =
            ["README.md", "CONTRIBUTING.md"]
            + ((try? FileManager.default.contentsOfDirectory(atPath: NodeProgram.root.path + "/docs")) ?? [])
            .filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }

        private func blocks(_ language: String, in page: String) throws -> [String] {
            try String(contentsOf: NodeProgram.root.appending(path: page), encoding: .utf8)
                .components(separatedBy: "```\(language)\n").dropFirst().compactMap {
                    $0.components(separatedBy: "```").first
                }
        }

        @Test func everyCommandWorks() async throws {
            try await withServer { redis in
                try await self.run(environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(redis.port)"])
            }
        }

        private func run(environment: [String: String]) async throws {
            let commands = try Self.pages.flatMap { page in
                try self.blocks("sh", in: page).flatMap { $0.split(separator: "\n").map(String.init) }
            }
            #expect(commands.contains("make run") && commands.contains("wasmnet-node cluster"))
            for command in commands {
                // As a shell reads them, as far as this page needs one.
                let words = command.prefix { $0 != "#" }.split(separator: " ").map { $0.trimmingCharacters(in: ["'"]) }
                if words.contains("make") {
                    // Not within itself: whether the target exists and make would run it.
                    let make = try SpawnedProcess(
                        "sh", ["-c", command.replacingOccurrences(of: "make ", with: "make -n ")],
                        directory: NodeProgram.root.path)
                    #expect(await make.end() == 0, "\(command)")
                } else if let check = Self.check(of: words) {
                    let shell = try SpawnedProcess("sh", ["-c", check], directory: NodeProgram.root.path)
                    #expect(await shell.end() == 0, "\(command)")
                } else if words[0] == "export" {
                    // The test's own value applies; it must have a value for the name.
                    let name = words.dropFirst().first?.split(separator: "=").first.map(String.init)
                    #expect(environment.keys.contains(name ?? ""), "\(command)")
                } else if words.starts(with: ["wasmnet-node", "serve"]), !words.contains("--help") {
                    let node = try NodeProcess(words.dropFirst() + ["--port", "0"], environment: environment)
                    #expect(await node.port() != nil, "\(command)")
                    node.signal(SIGTERM)
                    #expect(await node.wait() == 0, "\(command)")
                } else {
                    #expect(words[0] == "wasmnet-node", "\(command)")
                    let (status, _, errors) = try await NodeProcess.run(
                        Array(words.dropFirst()), environment: environment)
                    #expect(status == 0, "\(command): \(errors)")
                }
            }
        }

        /// The shell command to run instead of one that is not the node's: the command itself if it is cheap. Builds and suites within
        /// this one would wait for it; for those only whether the name exists.
        private static func check(of words: [String]) -> String? {
            let name = words.last ?? ""
            switch Array(words.prefix(3)) {
            case ["swift", "build", "--target"]: return "test -d Sources/\(name)"
            case ["swift", "build", "--product"]: return "grep -qF 'name: \"\(name)\"' Package.swift"
            case ["swift", "test", "--filter"]: return "grep -rqwE '(struct|func) \(name)' Tests"
            case ["scripts/test.sh", name]: return "grep -qE '^ +\(name)\\) ' scripts/test.sh"
            case let python where python.first == "python3": return words.joined(separator: " ")
            default: return nil
            }
        }

        @Test func theEmbeddingSnippetIsTheExample() async throws {
            let example = try String(
                contentsOf: NodeProgram.root.appending(path: "Examples/Embed/Embed.swift"), encoding: .utf8)
            #expect(try self.blocks("swift", in: "docs/embedding.md") == [example])
        }

        @Test func theClientSnippetFetchesAPage() async throws {
            let target = try await TestTarget.start(
                .custom { channel in try channel.pipeline.syncOperations.addHandler(PageHandler()) })
            let node = try NodeProcess(["--port", "0", "--no-policy"])
            let port = try #require(await node.port())
            var snippet = try #require(try self.blocks("js", in: "README.md").first)
            snippet = snippet.replacingOccurrences(of: "127.0.0.1:9000", with: "127.0.0.1:\(port)")
                .replacingOccurrences(
                    of: "addr: \"example.com\", port: 80", with: "addr: \"127.0.0.1\", port: \(target.port)")
            let output = Pipe()
            let script = try SpawnedProcess(
                "node", ["-e", "globalThis.WebSocket ??= require('ws');\n" + snippet],
                environment: ["NODE_PATH": "/usr/share/nodejs"], output: output.fileHandleForWriting)
            try output.fileHandleForWriting.close()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            #expect(await script.end() == 0)
            #expect(text.contains("a page"))
            node.signal(SIGTERM)
            #expect(await node.wait() == 0)
            await target.stop()
        }
    }
}

private final class PageHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let answer = ByteBuffer(string: "HTTP/1.0 200 OK\r\n\r\na page\n")
        context.writeAndFlush(self.wrapOutboundOut(answer)).assumeIsolated().whenComplete { _ in
            context.close(promise: nil)
        }
    }
}
