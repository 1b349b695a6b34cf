package import Foundation
import NIOConcurrencyHelpers

/// The output of a process, and the tests that wait for words in it.
package final class OutputLog: Sendable {
    /// How long to wait for words, in seconds: a test that waits for words that never come fails, and does not block others.
    private static let patience = 120.0

    private struct Waiter {
        let isFound: @Sendable (String) -> Bool
        let ends = Date(timeIntervalSinceNow: OutputLog.patience)
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var run = 0
        var bytes = Data()
        var isOver = false
        var waiting: [Waiter] = []

        var text: String { String(decoding: self.bytes, as: UTF8.self) }
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    package var text: String { self.state.withLockedValue { $0.text } }

    /// Reads the pipe from now on, and forgets an earlier one: any further output of
    /// that one, such as its end, is ignored.
    package func follow(_ pipe: Pipe) {
        let run = self.state.withLockedValue { state in
            state = State(run: state.run + 1)
            return state.run
        }
        // A separate read: FileHandle's own calls end the program when a signal interrupts them.
        Thread.detachNewThread { [self] in
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = read(pipe.fileHandleForReading.fileDescriptor, &chunk, chunk.count)
                if count > 0 {
                    self.update(run) { $0.bytes.append(contentsOf: chunk[..<count]) }
                } else if count == 0 || errno != EINTR {
                    break
                }
            }
            self.update(run) { $0.isOver = true }
        }
    }

    /// Waits until the words are printed; false when the output ends without them, or after two minutes.
    package func shows(_ words: String) async -> Bool { await self.shows { $0.contains(words) } }

    /// Waits until the output matches; false when it ends before, or after two minutes.
    package func shows(_ isFound: @escaping @Sendable (String) -> Bool) async -> Bool {
        await withCheckedContinuation { continuation in
            self.update(nil) { $0.waiting.append(Waiter(isFound: isFound, continuation: continuation)) }
            DispatchQueue.global().asyncAfter(deadline: .now() + Self.patience) { [self] in self.update(nil) { _ in } }
        }
    }

    /// Waits for the end of the output: all of it.
    package func whole() async -> String {
        _ = await self.shows { _ in false }
        return self.text
    }

    /// - Parameter run: the run that the change belongs to; nil for any.
    private func update(_ run: Int?, _ change: (inout State) -> Void) {
        let answers = self.state.withLockedValue { state -> [(CheckedContinuation<Bool, Never>, Bool)] in
            guard run == nil || run == state.run else { return [] }
            change(&state)
            let (text, now) = (state.waiting.isEmpty ? "" : state.text, Date())
            var answers: [(CheckedContinuation<Bool, Never>, Bool)] = []
            state.waiting.removeAll { waiter in
                let isFound = waiter.isFound(text)
                let isOver = isFound || state.isOver || waiter.ends <= now
                if isOver { answers.append((waiter.continuation, isFound)) }
                return isOver
            }
            return answers
        }
        for (continuation, found) in answers { continuation.resume(returning: found) }
    }
}
