import Foundation
import NIOConcurrencyHelpers

/// A program that a test runs in parallel. Nothing here blocks a thread of Swift's concurrency.
package final class ChildProcess: Sendable {
    package struct DidNotStart: Error {
        package let output: String
    }

    private let executable: String
    private let arguments: [String]
    private let environment: [String: String]
    private let process = NIOLockedValueBox<SpawnedProcess?>(nil)
    /// What it has printed since it was launched, both its outputs together.
    package let output = OutputLog()

    /// - Parameter executable: a path, or a name on the search path.
    package init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }

    deinit {
        self.signal(SIGKILL)
    }

    /// Starts it, or starts it again, and returns once it has printed the words.
    package func launch(until words: String) async throws {
        let pipe = Pipe()
        let process = try SpawnedProcess(
            self.executable, self.arguments, environment: self.environment,
            output: pipe.fileHandleForWriting, errors: pipe.fileHandleForWriting)
        try pipe.fileHandleForWriting.close()
        self.process.withLockedValue { $0 = process }
        self.output.follow(pipe)
        guard await self.output.shows(words) else { throw DidNotStart(output: self.output.text) }
    }

    package var isRunning: Bool { self.process.withLockedValue { $0?.isRunning == true } }

    /// Stops, continues or ends it.
    package func signal(_ signal: Int32) {
        self.process.withLockedValue { $0?.signal(signal) }
    }

    /// SIGKILL; returns once it is gone.
    package func kill() async {
        guard self.isRunning else { return }
        self.signal(SIGKILL)
        _ = await self.end()
    }

    /// Waits until it has ended by itself.
    ///
    /// - Returns: its exit code, or 128 plus the number of the signal that ended it.
    package func end() async -> Int32 {
        await self.process.withLockedValue { $0 }?.end() ?? 0
    }
}
