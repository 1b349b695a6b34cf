import DequeModule
import NIOCore

/// Something that has read more than one turn takes.
protocol InputTurnTaker: AnyObject {
    func takeWaitingTurn()
}

extension WebSocketHandler: InputTurnTaker {}

/// Gives the sessions of one event loop that have read more than one turn takes their next turns, one after the other. Between two
/// rounds the loop looks at all its sockets, so that no session's input holds up the others'.
package final class InputTurns {
    /// NIO runs tasks that are due until there are none, and only then looks at its sockets: a round must be due a little after the tasks
    /// that the last one left behind.
    private static let pause = TimeAmount.microseconds(100)

    /// How long a round may take, whatever still waits: the next round goes on with it.
    private static let round = TimeAmount.microseconds(250)

    /// After this time without another's turn a session has the loop to itself, in nanoseconds: then many short turns would only cost more.
    private static let untilAlone: Int64 = 100_000_000

    private let eventLoop: any EventLoop
    private var waiting = Deque<any InputTurnTaker>()
    private var isScheduled = false
    private var last: ObjectIdentifier?
    private var lastSince: Int64 = 0

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    /// The handler's next turn comes in the next round. It must not wait for one already.
    func add(_ handler: any InputTurnTaker) {
        self.waiting.append(handler)
        self.schedule()
    }

    /// How long a turn that begins now may take, in nanoseconds.
    func length(_ shared: TimeAmount, for handler: any InputTurnTaker, now: Int64) -> Int64 {
        if self.last != ObjectIdentifier(handler) {
            self.last = ObjectIdentifier(handler)
            self.lastSince = now
        }
        return shared.nanoseconds * (now - self.lastSince < Self.untilAlone ? 1 : 8)
    }

    private func schedule() {
        guard !self.isScheduled, !self.waiting.isEmpty else { return }
        self.isScheduled = true
        self.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) { self.takeTurns() }
    }

    private func takeTurns() {
        let end = self.eventLoop.now + Self.round
        var left = self.waiting.count
        repeat {
            left -= 1
            self.waiting.popFirst()?.takeWaitingTurn()
        } while left > 0 && self.eventLoop.now < end
        // Behind what the turns gave the loop to do, such as writes: a round that is due when those are done would run before the loop
        // looks at its sockets.
        self.eventLoop.assumeIsolated().execute {
            self.isScheduled = false
            self.schedule()
        }
    }
}

@available(*, unavailable)
extension InputTurns: Sendable {}
