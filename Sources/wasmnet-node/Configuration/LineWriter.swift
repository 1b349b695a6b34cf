import WasmnetNet
import Dispatch
import Foundation

/// Lines for a file that may be slow, stuck or gone. They wait in memory, up to a limit, for a separate thread to write them, so that
/// a full pipe or disk costs lines but never blocks the writer.
final class LineWriter: Sendable {
    private struct State {
        var waiting = Data()
        var isWriting = false
        var lost = 0
    }

    private let state = Guarded(State())
    private let queue = DispatchQueue(label: "log")
    private let descriptor: Int32
    private let capacity: Int
    private let lostLine: @Sendable (Int) -> String

    /// - Parameters:
    ///   - descriptor: where lines go; not closed.
    ///   - capacity: bytes that may wait; lines beyond are lost.
    ///   - lostLine: the line, without its end, that reports how many were lost. It is written in their place once there is room again.
    init(descriptor: Int32 = 2, capacity: Int = 1 << 20, lostLine: @escaping @Sendable (Int) -> String) {
        self.descriptor = descriptor
        self.capacity = capacity
        self.lostLine = lostLine
    }

    /// Takes a line without its end. Never waits.
    func write(_ line: String) {
        let mustStart = self.state.withLock { state in
            guard state.waiting.count + line.utf8.count < self.capacity else {
                state.lost += 1
                return false
            }
            self.tellLost(&state)
            state.waiting.append(contentsOf: line.utf8)
            state.waiting.append(UInt8(ascii: "\n"))
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { self.queue.async { self.writeAll() } }
    }

    /// Waits until the accepted lines are written, or the time is up.
    func flush(within seconds: Double = 1) {
        let done = DispatchSemaphore(value: 0)
        self.queue.async { done.signal() }
        _ = done.wait(timeout: .now() + seconds)
    }

    private func tellLost(_ state: inout State) {
        guard state.lost > 0 else { return }
        state.waiting.append(contentsOf: "\(self.lostLine(state.lost))\n".utf8)
        state.lost = 0
    }

    private func writeAll() {
        while let data = self.next() { Self.write(data, to: self.descriptor) }
    }

    private func next() -> Data? {
        self.state.withLock { state in
            self.tellLost(&state)
            state.isWriting = !state.waiting.isEmpty
            guard state.isWriting else { return nil }
            defer { state.waiting = Data() }
            return state.waiting
        }
    }

    /// Waits while the file accepts no more. Data refused by a closed pipe or a full disk is lost.
    private static func write(_ data: Data, to descriptor: Int32) {
        data.withUnsafeBytes { bytes in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Foundation.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno == EAGAIN {
                    var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = poll(&wait, 1, -1)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
