import Foundation

/// Another program that runs to completion.
package enum ChildProgram {
    /// - Returns: its exit code, and all its standard output and standard error. Nothing here blocks a thread of Swift's concurrency.
    package static func run(
        _ executable: String, _ arguments: [String], input: String = ""
    ) async throws -> (status: Int32, output: String) {
        let (source, output) = (Pipe(), Pipe())
        let process = try SpawnedProcess(
            executable, arguments, input: source.fileHandleForReading, output: output.fileHandleForWriting,
            errors: output.fileHandleForWriting)
        try output.fileHandleForWriting.close()
        let log = OutputLog()
        log.follow(output)
        let writer = source.fileHandleForWriting
        await withCheckedContinuation { done in
            // A pipe may hold less than the input.
            Thread.detachNewThread {
                try? writer.write(contentsOf: Data(input.utf8))
                try? writer.close()
                done.resume()
            }
        }
        return (await process.end(), await log.whole())
    }
}
