import CoreMetrics
import NIOCore
import Synchronization

/// How late an event loop runs due tasks: each loop is checked four times a second.
final class LoopLag: Sendable {
    private static let interval = TimeAmount.milliseconds(250)
    private let timer: CoreMetrics.Timer
    private let largest = Atomic<Int64>(0)

    init(_ timer: CoreMetrics.Timer) { self.timer = timer }

    /// Measures the loops of a group until the returned function is called.
    func watch(_ group: any EventLoopGroup) -> @Sendable () -> Void {
        let tasks = group.makeIterator().map { loop in
            let due = DueTime(loop.now + Self.interval)
            return loop.scheduleRepeatedTask(initialDelay: Self.interval, delay: Self.interval) { _ in
                let now = loop.now
                self.measured(max(0, (now - due.moment).nanoseconds))
                due.moment = now + Self.interval
            }
        }
        return { for task in tasks { task.cancel() } }
    }

    private func measured(_ nanoseconds: Int64) {
        self.timer.recordNanoseconds(nanoseconds)
        self.largest.max(nanoseconds, ordering: .relaxed)
    }

    /// The largest since the last call, in nanoseconds.
    func takeLargest() -> Int64 { self.largest.exchange(0, ordering: .relaxed) }

    /// Read and written by one event loop only.
    private final class DueTime: @unchecked Sendable {
        var moment: NIODeadline
        init(_ moment: NIODeadline) { self.moment = moment }
    }
}
