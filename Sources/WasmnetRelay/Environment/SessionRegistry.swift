import NIOConcurrencyHelpers
package import NIOCore
import WasmnetPolicy

/// Every live session, from any thread: the way in for drain and for changes of policy.
package final class SessionRegistry: Sendable {
    private struct State {
        var sessions: [ObjectIdentifier: SessionHandle] = [:]
        var whenEmpty: [@Sendable () -> Void] = []
    }
    private let state = NIOLockedValueBox(State())

    package var count: Int { self.state.withLockedValue { $0.sessions.count } }

    func add(_ handle: SessionHandle, for session: Session) {
        self.state.withLockedValue { $0.sessions[ObjectIdentifier(session)] = handle }
    }

    func remove(_ session: Session) {
        let waiting = self.state.withLockedValue { state -> [@Sendable () -> Void] in
            state.sessions[ObjectIdentifier(session)] = nil
            guard state.sessions.isEmpty else { return [] }
            defer { state.whenEmpty = [] }
            return state.whenEmpty
        }
        for callback in waiting { callback() }
    }

    /// The sessions that are live at this moment.
    package var sessions: [SessionHandle] { self.state.withLockedValue { Array($0.sessions.values) } }

    /// Calls back once no session is left: at once, or on the thread of the last one's end.
    package func whenEmpty(_ callback: @escaping @Sendable () -> Void) {
        let isEmpty = self.state.withLockedValue { state in
            if !state.sessions.isEmpty { state.whenEmpty.append(callback) }
            return state.sessions.isEmpty
        }
        if isEmpty { callback() }
    }
}

/// A session as other threads may hold it: every call is carried to its event loop.
package struct SessionHandle: Sendable {
    private let session: NIOLoopBound<Session>
    private let eventLoop: any EventLoop

    init(_ session: Session) {
        self.session = NIOLoopBound(session, eventLoop: session.eventLoop)
        self.eventLoop = session.eventLoop
    }

    func reconsider(_ policy: Policy) {
        self.eventLoop.execute { self.session.value.reconsider(policy) }
    }

    /// Announces the end: no new sockets; the session ends with its last one. `within`: until it is ended all the same.
    package func drain(within time: TimeAmount) {
        self.eventLoop.execute { self.session.value.drain(within: time) }
    }

    /// Ends the session now, as draining.
    package func endDrained() {
        self.eventLoop.execute { self.session.value.endDrained() }
    }
}
