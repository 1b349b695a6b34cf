import Foundation
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

/// A redis-server (or sentinel) of the test's own, on 127.0.0.1.
final class ServerProcess: Sendable {
    struct DidNotStart: Error {
        let output: String
    }

    let port: Int
    let directory: String
    private let process: NIOLockedValueBox<Process>
    private let arguments: [String]
    private let readyLine: String
    /// What it has printed since it was launched.
    let output = OutputLog()

    private init(port: Int, directory: String, arguments: [String], readyLine: String) {
        self.port = port
        self.directory = directory
        self.arguments = arguments
        self.readyLine = readyLine
        process = NIOLockedValueBox(Process())
    }

    /// Starts a server and returns once it says it is ready.
    ///
    /// - Parameter configuration: lines of a configuration file; `PORT` and `DIR` stand for the port and the directory.
    static func start(
        _ configuration: String = "port PORT", sentinel: Bool = false
    ) async throws -> ServerProcess {
        let port = try await freePort()
        let directory = NSTemporaryDirectory() + "redis-test-\(port)-\(UInt32.random(in: 0...UInt32.max))"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let lines = """
            \(configuration)
            bind 127.0.0.1
            dir DIR
            save ""
            logfile ""
            daemonize no

            """
            .replacingOccurrences(of: "PORT", with: String(port))
            .replacingOccurrences(of: "DIR", with: directory)
        let path = directory + "/server.conf"
        try lines.write(toFile: path, atomically: true, encoding: .utf8)
        let server = ServerProcess(
            port: port, directory: directory,
            arguments: ["redis-server", path] + (sentinel ? ["--sentinel"] : []),
            readyLine: sentinel ? "Sentinel ID is" : "eady to accept connections")
        do {
            try await server.launch()
        } catch {
            await server.stop()
            throw error
        }
        return server
    }

    /// Starts it again on its port after ``kill()``.
    func launch() async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        let output = output
        output.clear()
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                output.end()
            } else {
                output.append(String(decoding: data, as: UTF8.self))
            }
        }
        try process.run()
        self.process.withLockedValue { $0 = process }
        guard await output.shows(readyLine) else { throw DidNotStart(output: output.text) }
    }

    /// SIGKILL; returns once it is gone.
    func kill() async {
        let process = process.withLockedValue { $0 }
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                process.waitUntilExit()
                continuation.resume()
            }
        }
    }

    /// Stops or continues it with a signal.
    func signal(_ signal: Int32) {
        Foundation.kill(process.withLockedValue { $0.processIdentifier }, signal)
    }

    func stop() async {
        await kill()
        try? FileManager.default.removeItem(atPath: directory)
    }

    static func freePort() async throws -> Int {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        try await channel.close()
        return port
    }
}

/// The output of a process, and those who wait for words in it.
final class OutputLog: Sendable {
    private struct State {
        var text = ""
        var isOver = false
        var waiting: [(words: String, continuation: CheckedContinuation<Bool, Never>)] = []
    }

    private let state = NIOLockedValueBox(State())

    var text: String { state.withLockedValue { $0.text } }

    func clear() { state.withLockedValue { $0 = State() } }

    func append(_ chunk: String) { update { $0.text += chunk } }

    func end() { update { $0.isOver = true } }

    /// Waits until the words are printed; false when the output ends without them.
    func shows(_ words: String) async -> Bool {
        await withCheckedContinuation { continuation in
            update { $0.waiting.append((words, continuation)) }
        }
    }

    private func update(_ change: (inout State) -> Void) {
        let answers = state.withLockedValue { state in
            change(&state)
            let text = state.text
            let answered = state.waiting.filter { state.isOver || text.contains($0.words) }
            state.waiting.removeAll { state.isOver || text.contains($0.words) }
            return answered.map { ($0.continuation, text.contains($0.words)) }
        }
        for (continuation, found) in answers { continuation.resume(returning: found) }
    }
}

/// Runs a test against a server of its own and stops it whatever happens.
@discardableResult
func withServer<Result>(
    _ configuration: String = "port PORT", _ body: (ServerProcess) async throws -> Result
) async throws -> Result {
    let server = try await ServerProcess.start(configuration)
    do {
        let result = try await body(server)
        await server.stop()
        return result
    } catch {
        await server.stop()
        throw error
    }
}

/// The error of a future that must fail.
func failure<Value>(
    of future: EventLoopFuture<Value>, sourceLocation: SourceLocation = #_sourceLocation
) async -> (any Error)? {
    await withCheckedContinuation { continuation in
        future.whenComplete { result in
            switch result {
            case .success:
                Issue.record("succeeded", sourceLocation: sourceLocation)
                continuation.resume(returning: nil)
            case .failure(let error): continuation.resume(returning: error)
            }
        }
    }
}
