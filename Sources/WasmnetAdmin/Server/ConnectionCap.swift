import NIOCore
import WasmnetNet

/// How many connections there may be, in total and from one address, and which of them gives way to a new one.
///
/// A client that holds connections open without a request, with the token or without, must not keep probes and scrapes out: at the cap
/// the connection that has waited longest between requests is ended for the new one. One with a request in progress is
/// not; if all have one, the new one is refused.
final class ConnectionCap: Sendable {
    /// A connection, by the handler that watches it.
    struct Member: Sendable {
        let id: ObjectIdentifier
        /// IPv4 by address, IPv6 by /64; empty: none.
        let origin: [UInt8]
        /// Ends it, from any thread.
        let end: @Sendable () -> Void
        /// Closes it at once, from any thread.
        let cut: @Sendable () -> Void
    }

    private struct Entry {
        let member: Member
        /// Nil: a request is in progress. Otherwise the order in which connections became idle.
        var idleSince: UInt64?
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        var turn: UInt64 = 0
        /// The caller that waits for the last one's end; nil: connections are accepted.
        var drained: [CheckedContinuation<Void, Never>]?

        mutating func nextTurn() -> UInt64 {
            self.turn += 1
            return self.turn
        }
    }

    let most: Int
    /// From one address: half of all, so that another one always finds room.
    var maxOfOne: Int { max(self.most / 2, 1) }
    private let state = Guarded(State())

    init(_ most: Int) { self.most = most }

    var count: Int { self.state.withLock { $0.entries.count } }

    /// Adds a connection that waits for its first request.
    ///
    /// - Returns: false: there is no room, and it must end.
    func enter(_ member: Member) -> Bool {
        let (isIn, loser) = self.state.withLock { state -> (Bool, Member?) in
            guard state.drained == nil else { return (false, nil) }
            let ofOne = state.entries.values.count { $0.member.origin == member.origin }
            var loser: Member?
            if ofOne >= self.maxOfOne || state.entries.count >= self.most {
                let rivals = state.entries.values.filter { entry in
                    entry.idleSince != nil && (ofOne < self.maxOfOne || entry.member.origin == member.origin)
                }
                guard let longest = rivals.min(by: { ($0.idleSince ?? 0) < ($1.idleSince ?? 0) }) else {
                    return (false, nil)
                }
                state.entries[longest.member.id] = nil
                loser = longest.member
            }
            state.entries[member.id] = Entry(member: member, idleSince: state.nextTurn())
            return (true, loser)
        }
        loser?.end()
        return isIn
    }

    /// It became idle, or is no longer.
    func set(_ id: ObjectIdentifier, isIdle: Bool) {
        self.state.withLock { state in
            guard let entry = state.entries[id], (entry.idleSince != nil) != isIdle else { return }
            let turn = isIdle ? state.nextTurn() : nil
            state.entries[id]?.idleSince = turn
        }
    }

    func leave(_ id: ObjectIdentifier) {
        let drained = self.state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.entries[id] = nil
            guard state.entries.isEmpty, let drained = state.drained else { return [] }
            state.drained = []
            return drained
        }
        for continuation in drained { continuation.resume() }
    }

    /// Closes all present connections.
    func cut() {
        for entry in self.state.withLock({ Array($0.entries.values) }) { entry.member.cut() }
    }

    /// Accepts no more connections, asks the present ones to end, and returns when they have.
    func drain() async {
        await withCheckedContinuation { continuation in
            let members = self.state.withLock { state in
                state.drained = (state.drained ?? []) + [continuation]
                return state.entries.values.map(\.member)
            }
            for member in members { member.end() }
            // If there was none.
            self.leave(ObjectIdentifier(self))
        }
    }

    /// The unit that connections are counted by: an IPv4 address, or an IPv6 /64.
    static func origin(of address: SocketAddress?) -> [UInt8] {
        let address = address?.withSockAddr { raw, _ in IPAddress(socketAddress: raw) }?.withoutV4Mapping
        return address.map { Array($0.bytes.prefix(8)) } ?? []
    }
}
