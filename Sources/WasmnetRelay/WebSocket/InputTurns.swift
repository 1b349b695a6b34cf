import DequeModule
import NIOCore

/// Gives the sessions of one event loop that have read more than one turn takes their next turns, one after the other. Between two
/// rounds the loop looks at all its sockets, so that no session's input holds up the others'.
package final class InputTurns {
    /// NIO runs tasks that are due until there are none, and only then looks at its sockets: a round must be due a little later.
    private static let pause = TimeAmount.microseconds(10)

    private let eventLoop: any EventLoop
    private var waiting = Deque<WebSocketHandler>()
    private var isScheduled = false

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// The handler's next turn comes in the next round. It must not wait for one already.
    func add(_ handler: WebSocketHandler) {
        self.waiting.append(handler)
        self.schedule()
    }

    private func schedule() {
        guard !self.isScheduled, !self.waiting.isEmpty else { return }
        self.isScheduled = true
        self.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isScheduled = false
            for _ in 0..<self.waiting.count { self.waiting.popFirst()?.takeWaitingTurn() }
            self.schedule()
        }
    }
}

@available(*, unavailable)
extension InputTurns: Sendable {}
