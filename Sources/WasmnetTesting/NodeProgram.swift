package import Foundation

/// The real program as a separate process.
package final class NodeProgram: Sendable {
    package let process: ChildProcess
    package let port: Int

    package static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The build's location: beside the test bundle; the runner itself may be elsewhere.
    package static var executable: URL {
        let directory = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let candidates = [directory, self.root.appending(path: ".build/debug")]
            .map { $0.appending(path: "wasmnet-node") }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? candidates[0]
    }

    private init(process: ChildProcess, port: Int) {
        self.process = process
        self.port = port
    }

    /// Starts a node on a free port and returns once it listens.
    ///
    /// - Parameter policy: the text of a policy file.
    package static func start(
        policy: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> NodeProgram {
        let file = NSTemporaryDirectory() + "policy-\(UInt64.random(in: 0 ... .max)).toml"
        try policy.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        let process = ChildProcess(
            self.executable.path, ["serve", "--port", "0", "--admin-port", "0", "--policy", file] + arguments,
            environment: environment)
        try await process.launch(until: "/\n")
        guard let range = process.output.text.range(of: #"wss?://[^/]*:(\d+)/"#, options: .regularExpression),
            let port = Int(process.output.text[range].split(separator: ":").last?.dropLast() ?? "")
        else { throw ChildProcess.DidNotStart(output: process.output.text) }
        return NodeProgram(process: process, port: port)
    }
}
