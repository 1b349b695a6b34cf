import Foundation
import NIOConcurrencyHelpers

/// A program that a test runs beside itself. Nothing here blocks a thread of Swift's concurrency.
package final class ChildProcess: Sendable {
    package struct DidNotStart: Error {
        package let output: String
    }

    private let executable: String
    private let arguments: [String]
    private let environment: [String: String]
    private let process = NIOLockedValueBox(Process())
    /// What it has printed since it was launched, both its outputs together.
    package let output = OutputLog()

    /// - Parameter executable: a path, or a name on the search path.
    package init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }

    deinit {
        let process = self.process.withLockedValue { $0 }
        if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
    }

    /// Starts it, or starts it again, and returns once it has printed the words.
    package func launch(until words: String) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [self.executable] + self.arguments
        process.environment = ProcessInfo.processInfo.environment.merging(self.environment) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        let output = self.output
        let run = output.begin()
        pipe.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty {
                handle.readabilityHandler = nil
                output.end(of: run)
            } else {
                output.append(String(decoding: data, as: UTF8.self), of: run)
            }
        }
        try process.run()
        self.process.withLockedValue { $0 = process }
        guard await output.shows(words) else { throw DidNotStart(output: output.text) }
    }

    package var isRunning: Bool { self.process.withLockedValue { $0.isRunning } }

    /// Stops, continues or ends it.
    package func signal(_ signal: Int32) {
        Foundation.kill(self.process.withLockedValue { $0.processIdentifier }, signal)
    }

    /// SIGKILL; returns once it is gone.
    package func kill() async {
        guard self.isRunning else { return }
        self.signal(SIGKILL)
        _ = await self.end()
    }

    /// Waits until it has ended by itself.
    ///
    /// - Returns: its exit code.
    package func end() async -> Int32 {
        let process = self.process.withLockedValue { $0 }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                process.waitUntilExit()
                continuation.resume(returning: process.terminationStatus)
            }
        }
    }
}

/// The output of a process, and those who wait for words in it.
package final class OutputLog: Sendable {
    private struct State {
        var run = 0
        var text = ""
        var isOver = false
        var waiting: [(words: String, continuation: CheckedContinuation<Bool, Never>)] = []
    }

    private let state = NIOLockedValueBox(State())

    package var text: String { state.withLockedValue { $0.text } }

    /// Forgets what an earlier run printed. What is still to come of that one, such as its end, counts no more.
    ///
    /// - Returns: the run that begins.
    fileprivate func begin() -> Int {
        state.withLockedValue { state in
            state = State(run: state.run + 1)
            return state.run
        }
    }

    fileprivate func append(_ chunk: String, of run: Int) { update { if $0.run == run { $0.text += chunk } } }

    fileprivate func end(of run: Int) { update { if $0.run == run { $0.isOver = true } } }

    /// Waits until the words are printed; false when the output ends without them.
    package func shows(_ words: String) async -> Bool {
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
