import Foundation
import WasmnetTesting

/// The real program as a separate process. Nothing here blocks a thread of Swift's concurrency.
final class NodeProcess: Sendable {
    private let process: SpawnedProcess
    private let errors = OutputLog()
    private let output = OutputLog()

    /// - Parameter descriptors: the maximum that it may have open; nil: as many as this process.
    init(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil, descriptors: Int? = nil
    ) throws {
        let program = NodeProgram.executable.path
        let shell = descriptors.map { ["-c", "ulimit -n \($0); exec \"$0\" \"$@\"", program] }
        let (source, output, errors) = (Pipe(), Pipe(), Pipe())
        if let input { source.fileHandleForWriting.write(Data(input.utf8)) }
        try source.fileHandleForWriting.close()
        self.process = try SpawnedProcess(
            // Nodes run side by side, so each has its own admin port.
            shell == nil ? program : "/bin/sh", (shell ?? []) + arguments,
            environment: ["WASMNET_ADMIN_PORT": "0"].merging(environment) { $1 }, directory: NodeProgram.root.path,
            input: input == nil ? nil : source.fileHandleForReading, output: output.fileHandleForWriting,
            errors: errors.fileHandleForWriting)
        try output.fileHandleForWriting.close()
        try errors.fileHandleForWriting.close()
        self.output.follow(output)
        self.errors.follow(errors)
    }

    deinit {
        self.signal(SIGKILL)
    }

    /// Runs a command to its end.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) async throws -> (status: Int32, output: String, errors: String) {
        let node = try NodeProcess(arguments, environment: environment, input: input)
        return (await node.wait(), await node.output.whole(), await node.errors.whole())
    }

    /// Waits for a text on standard error; `false` if that ends before.
    @discardableResult
    func waitFor(_ text: String) async -> Bool { await self.errors.shows(text) }

    /// What it has logged so far.
    var log: String { self.errors.text }

    /// The port in the line with its address.
    func port() async -> Int? {
        guard await self.errors.shows({ Self.port(in: $0) != nil }) else { return nil }
        return Self.port(in: self.log)
    }

    /// The admin server's address in its line.
    func admin() async -> String? {
        guard await self.errors.shows({ Self.admin(in: $0) != nil }) else { return nil }
        return Self.admin(in: self.log)
    }

    private static func admin(in log: String) -> String? {
        log.firstMatch(of: /admin server listens.* url=(http:[^\s]*)\//).map { String($0.1) }
    }

    private static func port(in log: String) -> Int? {
        log.firstMatch(of: /wss?:\/\/[^\/\s]*:(\d+)\//).flatMap { Int($0.1) }
    }

    var id: Int32 { self.process.id }

    func signal(_ number: Int32) { self.process.signal(number) }

    /// Waits for its end: its exit code, or 128 and the number of the signal that ended it.
    func wait() async -> Int32 { await self.process.end() }

    /// Waits until its whole log has been read.
    func wholeLog() async -> String { await self.errors.whole() }
}

extension TestClient {
    /// Connects as soon as the node admits it: for a node whose log is not read, or that is still full. Fails after ten seconds.
    static func connectWhenPossible(port: Int) async throws -> TestClient {
        for _ in 0..<400 {
            if let client = try? await TestClient.connect(port: port) { return client }
            try await Task.sleep(for: .milliseconds(25))
        }
        return try await TestClient.connect(port: port)
    }
}
