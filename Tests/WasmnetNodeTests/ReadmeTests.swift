import Foundation
import NIOCore
import Testing
import WasmnetTesting

extension NodeTests {
    /// The README's commands and snippets, run as they stand.
    @Suite struct ReadmeTests {
        private func readme() throws -> String {
            try String(contentsOf: NodeProgram.root.appending(path: "README.md"), encoding: .utf8)
        }

        private func blocks(_ language: String) throws -> [String] {
            try self.readme().components(separatedBy: "```\(language)\n").dropFirst().compactMap {
                $0.components(separatedBy: "```").first
            }
        }

        @Test func everyCommandWorks() async throws {
            try await withServer { redis in
                try self.run(environment: ["WASMNET_REDIS": "redis://127.0.0.1:\(redis.port)"])
            }
        }

        private func run(environment: [String: String]) throws {
            let commands = try self.blocks("sh").flatMap { $0.split(separator: "\n").map(String.init) }
            #expect(!commands.isEmpty)
            for command in commands {
                let words = command.split(separator: " ").map(String.init)
                if words[0] == "make" {
                    // Not within itself: whether the target is there and make would run it.
                    let process = Process()
                    process.executableURL = URL(fileURLWithPath: "/usr/bin/make")
                    process.arguments = ["-n"] + words.dropFirst()
                    process.currentDirectoryURL = NodeProgram.root
                    process.standardOutput = Pipe()
                    try process.run()
                    process.waitUntilExit()
                    #expect(process.terminationStatus == 0, "\(command)")
                } else if words[0] == "export" {
                    // The test's own value is in force; the name must be one it has a value for.
                    let name = words.dropFirst().first?.split(separator: "=").first.map(String.init)
                    #expect(environment.keys.contains(name ?? ""), "\(command)")
                } else if words.starts(with: ["wasmnet-node", "serve"]), !words.contains("--help") {
                    let node = try NodeProcess(words.dropFirst() + ["--port", "0"], environment: environment)
                    #expect(node.port() != nil, "\(command)")
                    node.signal(SIGTERM)
                    #expect(node.wait() == 0, "\(command)")
                } else {
                    #expect(words[0] == "wasmnet-node", "\(command)")
                    let (status, _, errors) = try NodeProcess.run(Array(words.dropFirst()), environment: environment)
                    #expect(status == 0, "\(command): \(errors)")
                }
            }
        }

        @Test func theEmbeddingSnippetIsTheExample() throws {
            let example = try String(
                contentsOf: NodeProgram.root.appending(path: "Examples/Embed/Embed.swift"), encoding: .utf8)
            #expect(try self.blocks("swift") == [example])
        }

        @Test func theClientSnippetFetchesAPage() async throws {
            let target = try await TestTarget.start(
                .custom { channel in try channel.pipeline.syncOperations.addHandler(PageHandler()) })
            let node = try NodeProcess(["--port", "0", "--no-policy"])
            let port = try #require(node.port())
            var snippet = try #require(try self.blocks("js").first)
            snippet = snippet.replacingOccurrences(of: "127.0.0.1:9000", with: "127.0.0.1:\(port)")
                .replacingOccurrences(
                    of: "addr: \"example.com\", port: 80", with: "addr: \"127.0.0.1\", port: \(target.port)")
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = ["node", "-e", "globalThis.WebSocket ??= require('ws');\n" + snippet]
            process.environment = ProcessInfo.processInfo.environment.merging(["NODE_PATH": "/usr/share/nodejs"]) { $1 }
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            #expect(text.contains("a page"))
            node.signal(SIGTERM)
            #expect(node.wait() == 0)
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
