import WasmnetNet
package import NIOCore
import WasmnetPolicy
package import WasmnetProtocol
package import WasmnetQuota

/// Every live session, from any thread: used for draining and for changes of policy.
package final class SessionRegistry: Sendable {
    package init() {}

    private struct State {
        var sessions: [ObjectIdentifier: SessionHandle] = [:]
        var whenEmpty: [@Sendable () -> Void] = []
        var added: UInt64 = 0
        var isClosed = false
    }
    private let state = Guarded(State())

    package var count: Int { self.state.withLock { $0.sessions.count } }

    /// Whether no more sessions are accepted.
    package var isClosed: Bool { self.state.withLock { $0.isClosed } }

    /// Accepts no more sessions, so that ``sessions`` are all that a drain has to notify and to wait for.
    package func close() {
        self.state.withLock { $0.isClosed = true }
    }

    /// - Returns: false if the registry is closed: the session must not begin.
    func add(_ session: Session) -> Bool {
        self.state.withLock { state in
            guard !state.isClosed else { return false }
            state.added += 1
            state.sessions[ObjectIdentifier(session)] = SessionHandle(session, number: state.added)
            return true
        }
    }

    func remove(_ session: Session) {
        let waiting = self.state.withLock { state -> [@Sendable () -> Void] in
            state.sessions[ObjectIdentifier(session)] = nil
            guard state.sessions.isEmpty else { return [] }
            defer { state.whenEmpty = [] }
            return state.whenEmpty
        }
        for callback in waiting { callback() }
    }

    /// The sessions that are live now.
    package var sessions: [SessionHandle] { self.state.withLock { Array($0.sessions.values) } }

    package func sessions(of client: ClientID) -> [SessionHandle] { self.sessions.filter { $0.client == client } }

    /// Closes the `count` newest sockets of a client, those of the newest sessions first.
    package func endNewest(_ count: Int, of client: ClientID) {
        let handles = self.sessions(of: client).sorted { $0.number > $1.number }
        Self.endNewest(count, in: handles[...])
    }

    private static func endNewest(_ count: Int, in handles: ArraySlice<SessionHandle>) {
        guard count > 0, let handle = handles.first else { return }
        handle.endNewest(count) { ended in self.endNewest(count - ended, in: handles.dropFirst()) }
    }

    /// Calls back once no session is left: at once, or on the thread of the last one's end.
    package func whenEmpty(_ callback: @escaping @Sendable () -> Void) {
        let isEmpty = self.state.withLock { state in
            if !state.sessions.isEmpty { state.whenEmpty.append(callback) }
            return state.sessions.isEmpty
        }
        if isEmpty { callback() }
    }
}

/// A session for use from other threads: every call is forwarded to its event loop.
package struct SessionHandle: Sendable {
    package let origin: SessionOrigin
    /// Later sessions have larger ones.
    let number: UInt64
    private let session: NIOLoopBound<Session>
    private let eventLoop: any EventLoop

    init(_ session: Session, number: UInt64) {
        self.origin = session.core.origin
        self.number = number
        self.session = NIOLoopBound(session, eventLoop: session.core.eventLoop)
        self.eventLoop = session.core.eventLoop
    }

    var client: ClientID { self.origin.client }

    func endNewest(_ count: Int, then body: @escaping @Sendable (Int) -> Void) {
        self.eventLoop.execute { body(self.session.value.table.endNewest(count)) }
    }

    func deny(by news: DenylistView) {
        self.eventLoop.execute { self.session.value.deny(by: news) }
    }

    func reapply(_ policy: Policy) {
        self.eventLoop.execute { self.session.value.reapply(policy) }
    }

    /// The session's status; nil when its event loop has ended.
    package func status() async -> SessionStatus? {
        try? await self.eventLoop.submit { self.session.value.status }.get()
    }

    /// Its sockets by their ids; empty when its event loop has ended.
    package func sockets() async -> [SocketRecord] {
        let records = try? await self.eventLoop.submit { self.session.value.records }.get()
        return (records ?? []).sorted { $0.socket < $1.socket }
    }

    /// Ends the session and its sockets with `policy_denied`.
    package func endByOperator() {
        self.eventLoop.execute { self.session.value.endByOperator() }
    }

    /// Ends a socket with `policy_denied`.
    ///
    /// - Returns: false where there is no such socket.
    package func endByOperator(_ socket: SocketID) async -> Bool {
        (try? await self.eventLoop.submit { self.session.value.table.endByOperator(socket) }.get()) ?? false
    }

    /// Announces the end: no new sockets; the session ends with its last one. `within`: when it is ended anyway.
    package func drain(within time: TimeAmount) {
        self.eventLoop.execute { self.session.value.drain(within: time) }
    }

    /// Ends the session now, as draining.
    package func endDrained() {
        self.eventLoop.execute { self.session.value.endDrained() }
    }
}

/// A session's status at one moment.
package struct SessionStatus: Sendable {
    package let isDraining: Bool
    package let sockets: Int
    package let bytesUp: UInt64
    package let bytesDown: UInt64
}

extension Session {
    var records: [SocketRecord] { self.table.all.map(\.core.record) }

    var status: SessionStatus {
        SessionStatus(
            isDraining: self.core.phase == .draining, sockets: self.table.count, bytesUp: self.log.bytesUp,
            bytesDown: self.log.bytesDown)
    }
}
