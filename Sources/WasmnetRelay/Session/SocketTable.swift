import WasmnetPolicy
import WasmnetProtocol

/// The sockets of a session by their ids, and the recently closed ids. On the session's event loop.
final class SocketTable {
    private var sockets: [SocketID: Socket] = [:]
    private var closed: RecentlyClosedIDs
    private var nextAccepted = SocketID.firstAccepted

    /// - Parameter limit: closed ids to remember.
    init(rememberingClosed limit: Int) {
        self.closed = RecentlyClosedIDs(limit: limit)
    }

    subscript(_ id: SocketID) -> Socket? { self.sockets[id] }
    var count: Int { self.sockets.count }
    var isEmpty: Bool { self.sockets.isEmpty }
    /// All present sockets; they may end meanwhile.
    var all: [any SessionSocket] { self.sockets.values.map(\.base) }

    func stream(_ id: SocketID) -> TargetStream? {
        if case .stream(let stream)? = self.sockets[id] { stream } else { nil }
    }

    func listener(_ id: SocketID) -> TargetListener? {
        if case .listener(let listener)? = self.sockets[id] { listener } else { nil }
    }

    /// Whether what is sent to the socket becomes a datagram: data for a socket without a peer has no effect.
    func sendsDatagrams(_ id: SocketID) -> Bool {
        if case .datagram(let socket)? = self.sockets[id] { socket.core.kind == .udp } else { false }
    }

    /// Whether the id belongs to this very socket.
    func holds(_ socket: some SessionSocket) -> Bool { self.sockets[socket.id]?.base === socket }

    func add(_ socket: some SessionSocket) {
        self.sockets[socket.id] = socket.asSocket
        self.closed.remove(socket.id)
    }

    /// Removes a socket that it holds.
    ///
    /// - Parameter crossingEnds: until when messages for it may have been sent before its end was known, in monotonic nanoseconds.
    func remove(_ socket: some SessionSocket, crossingEnds: Int64) {
        self.sockets[socket.id] = nil
        self.closed.insert(socket.id, crossingEnds: crossingEnds)
    }

    func removeAll() -> [any SessionSocket] {
        let all = self.all
        self.sockets = [:]
        return all
    }

    /// An id for an incoming connection; nil if all are in use.
    func takeAcceptedID() -> SocketID? {
        for _ in 0...self.sockets.count {
            let id = self.nextAccepted
            self.nextAccepted = id == .maximumAccepted ? .firstAccepted : id + 1
            if self.sockets[id] == nil { return id }
        }
        return nil
    }

    // MARK: Ids without a socket

    func wasClosed(_ id: SocketID) -> Bool { self.closed.contains(id) }

    /// Remembers an id that never was, or no longer is, a socket's.
    func rememberClosed(_ id: SocketID, crossingEnds: Int64) {
        self.closed.insert(id, crossingEnds: crossingEnds)
    }

    /// Whether a message for a closed id may have been sent before its end was known. Of a command only the first one may.
    func mayHaveCrossed(_ id: SocketID, by command: RecentlyClosedIDs.Command? = nil, now: Int64) -> Bool {
        self.closed.mayHaveCrossed(id, by: command, now: now)
    }

    // MARK: Ends by the node

    /// Ends what a policy does not allow.
    func endDisallowed(by policy: Policy) {
        for socket in self.all {
            guard let decision = socket.reapply(policy) else { continue }
            socket.end(Refusal(decision, of: socket.core))
        }
    }

    /// Ends a socket for an operator.
    ///
    /// - Returns: false if there is no such socket.
    func endByOperator(_ id: SocketID) -> Bool {
        guard let socket = self.sockets[id] else { return false }
        socket.base.end(Refusal(.policyDenied, "ended by the node's operator"))
        return true
    }

    /// Ends the `count` newest sockets: they were opened in an outage, and the cluster has no room for them.
    ///
    /// - Returns: how many were ended.
    func endNewest(_ count: Int) -> Int {
        let newest = self.all.sorted { ($0.core.facts.opened, $0.id) > ($1.core.facts.opened, $1.id) }.prefix(count)
        for socket in newest {
            socket.end(
                Refusal(.maxConnections, "more sockets of this client were open than its limit, after an outage"))
        }
        return newest.count
    }

    /// Ends those without traffic since a time, in monotonic nanoseconds.
    func endIdle(since time: Int64, _ refusal: Refusal) {
        for socket in self.all {
            if let last = socket.core.lastActivity, last < time { socket.end(refusal) }
        }
    }
}

@available(*, unavailable)
extension SocketTable: Sendable {}
