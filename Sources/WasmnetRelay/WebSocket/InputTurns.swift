import DequeModule
import NIOCore

/// Has read more than fits into one turn.
protocol InputTurnTaker: AnyObject {
    func takeWaitingTurn()
}

extension WebSocketHandler: InputTurnTaker {}

/// Gives the sessions of one event loop that have read more than one turn handles their next turns, one after the other. Between two
/// rounds the loop checks all its sockets, so that no session's input delays the others'.
package final class InputTurns {
    /// NIO runs due tasks until there are none, and only then checks its sockets: a round must be due a little after the tasks
    /// that the last one left behind.
    private static let pause = TimeAmount.microseconds(100)

    /// How long a round may take; the next round continues with what still waits.
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

    /// Schedules the handler's next turn in the next round. It must not be waiting already.
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
        // Behind the tasks that the turns gave the loop, such as writes: a round due right after those would run before the loop
        // checks its sockets.
        self.eventLoop.assumeIsolated().execute {
            self.isScheduled = false
            self.schedule()
        }
    }
}

@available(*, unavailable)
extension InputTurns: Sendable {}
