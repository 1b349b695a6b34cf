import NIOConcurrencyHelpers
package import NIOCore
import WasmnetPolicy
package import WasmnetQuota

/// Every live session, from any thread: the way in for drain and for changes of policy.
package final class SessionRegistry: Sendable {
    package init() {}

    private struct State {
        var sessions: [ObjectIdentifier: SessionHandle] = [:]
        var whenEmpty: [@Sendable () -> Void] = []
        var added: UInt64 = 0
    }
    private let state = NIOLockedValueBox(State())

    package var count: Int { self.state.withLockedValue { $0.sessions.count } }

    func add(_ session: Session) {
        self.state.withLockedValue { state in
            state.added += 1
            state.sessions[ObjectIdentifier(session)] = SessionHandle(session, number: state.added)
        }
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

    /// Ends so many of a client's sockets, the newest sessions' newest first.
    package func endNewest(_ count: Int, of client: ClientID) {
        let handles = self.sessions.filter { $0.client == client }.sorted { $0.number > $1.number }
        Self.endNewest(count, in: handles[...])
    }

    private static func endNewest(_ count: Int, in handles: ArraySlice<SessionHandle>) {
        guard count > 0, let handle = handles.first else { return }
        handle.endNewest(count) { ended in self.endNewest(count - ended, in: handles.dropFirst()) }
    }

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
    let client: ClientID
    /// Later sessions have larger ones.
    let number: UInt64
    private let session: NIOLoopBound<Session>
    private let eventLoop: any EventLoop

    init(_ session: Session, number: UInt64) {
        self.client = session.client
        self.number = number
        self.session = NIOLoopBound(session, eventLoop: session.eventLoop)
        self.eventLoop = session.eventLoop
    }

    func endNewest(_ count: Int, then body: @escaping @Sendable (Int) -> Void) {
        self.eventLoop.execute { body(self.session.value.endNewest(count)) }
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
