import Foundation
import WasmnetTesting

/// The real program as a process of its own.
final class NodeProcess {
    let process = Process()
    private let errors = Pipe()
    private let output = Pipe()
    private var seen = ""

    init(_ arguments: [String], environment: [String: String] = [:], input: String? = nil) throws {
        self.process.executableURL = NodeProgram.executable
        self.process.arguments = arguments
        self.process.currentDirectoryURL = NodeProgram.root
        self.process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        self.process.standardError = self.errors
        self.process.standardOutput = self.output
        if let input {
            let pipe = Pipe()
            pipe.fileHandleForWriting.write(Data(input.utf8))
            try pipe.fileHandleForWriting.close()
            self.process.standardInput = pipe
        }
        try self.process.run()
    }

    deinit {
        if self.process.isRunning { kill(self.process.processIdentifier, SIGKILL) }
    }

    /// Runs a command to its end.
    static func run(
        _ arguments: [String], environment: [String: String] = [:], input: String? = nil
    ) throws -> (status: Int32, output: String, errors: String) {
        let node = try NodeProcess(arguments, environment: environment, input: input)
        let output = node.output.fileHandleForReading.readDataToEndOfFile()
        let errors = node.errors.fileHandleForReading.readDataToEndOfFile()
        node.process.waitUntilExit()
        return (
            node.process.terminationStatus, String(decoding: output, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }

    /// Reads standard error until a text is in it; `false` if it ends, or is silent for a minute, before.
    @discardableResult
    func waitFor(_ text: String) -> Bool {
        while !self.seen.contains(text) {
            var ready = pollfd(
                fd: self.errors.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&ready, 1, 60_000) > 0 else { return false }
            let data = self.errors.fileHandleForReading.availableData
            if data.isEmpty { return false }
            self.seen += String(decoding: data, as: UTF8.self)
        }
        return true
    }

    var log: String { self.seen }

    /// The port in the first log line.
    func port() -> Int? {
        guard self.waitFor("listening"), self.waitFor("\n") else { return nil }
        guard let range = self.seen.range(of: #"wss?://[^/]*:(\d+)/"#, options: .regularExpression) else { return nil }
        return Int(self.seen[range].split(separator: ":").last?.dropLast() ?? "")
    }

    func signal(_ number: Int32) { kill(self.process.processIdentifier, number) }

    func wait() -> Int32 {
        self.process.waitUntilExit()
        return self.process.terminationStatus
    }
}
