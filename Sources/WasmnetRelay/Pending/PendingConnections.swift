import Logging
package import NIOCore
package import WasmnetNet

/// The node's connections that are not admitted yet, from the accept to the session, from any thread: one address cannot take all
/// descriptors, all heads together are bounded, and a drain finds those without a request.
package final class PendingConnections: Sendable {
    /// What a connection must do.
    enum Order: Sendable {
        /// Its place goes to another.
        case leave
        /// Its head is the largest, and all together are too large.
        case dropHead
        /// The node drains.
        case drain
    }

    private struct State: Sendable {
        var table: PendingTable
        var members: [PendingTable.ID: @Sendable (Order) -> Void] = [:]
        var isDraining = false
        var dropped = 0
    }

    private let state: Guarded<State>

    /// - Parameter most: connections in total; from one address 64.
    init(most: Int) {
        self.state = Guarded(State(table: PendingTable(most: most)))
    }

    package var count: Int { self.state.withLock { $0.table.count } }
    /// How many had to end for others since the start, or were refused a place themselves.
    package var dropped: Int { self.state.withLock { $0.dropped } }
    package var headBytes: Int { self.state.withLock { $0.table.headBytes } }

    /// Adds an accepted connection.
    ///
    /// - Parameter address: its owner's; nil if a proxy has yet to announce it.
    /// - Returns: nil if there is no place for it: it must be closed.
    package func enter(_ channel: any Channel, from address: IPAddress?) -> PendingPlace? {
        let place = PendingPlace(channel, self)
        let bound = NIOLoopBound(place, eventLoop: channel.eventLoop)
        let eventLoop = channel.eventLoop
        let obey: @Sendable (Order) -> Void = { order in eventLoop.execute { bound.value.obey(order) } }
        let entered = self.state.withLock {
            state -> (id: PendingTable.ID, loser: (@Sendable (Order) -> Void)?)? in
            guard !state.isDraining else { return nil }
            guard let (id, leaving) = state.table.enter(address) else {
                state.dropped += 1
                return nil
            }
            if leaving != nil { state.dropped += 1 }
            state.members[id] = obey
            return (id, leaving.flatMap { state.members.removeValue(forKey: $0) })
        }
        guard let entered else { return nil }
        entered.loser?(.leave)
        place.id = entered.id
        channel.closeFuture.whenComplete { _ in bound.value.leave() }
        return place
    }

    /// Adds the connection of an ended session until it is closed: it counts as answered, and gives way like any such connection. During a
    /// drain these are not added.
    func linger(_ channel: any Channel, from address: IPAddress?) {
        guard !self.state.withLock({ $0.isDraining }) else { return }
        guard let place = self.enter(channel, from: address) else { return channel.close(promise: nil) }
        place.set(.answered, headBytes: 0)
    }

    func name(_ id: PendingTable.ID, _ address: IPAddress) {
        let loser = self.state.withLock { state in
            let leaving = state.table.name(id, address)
            if leaving != nil { state.dropped += 1 }
            return leaving.flatMap { state.members.removeValue(forKey: $0) }
        }
        loser?(.leave)
    }

    func set(_ id: PendingTable.ID, _ stage: PendingTable.Stage, headBytes: Int) {
        let losers = self.state.withLock { state in
            let leaving = state.table.set(id, stage, headBytes: headBytes)
            state.dropped += leaving.count
            return leaving.compactMap { state.members[$0] }
        }
        for loser in losers { loser(.dropHead) }
    }

    func leave(_ id: PendingTable.ID) {
        self.state.withLock { state in
            state.table.leave(id)
            state.members[id] = nil
        }
    }

    /// From now on none is added; those without a request end at once, and the others are answered.
    package func drain() {
        let members = self.state.withLock { state in
            state.isDraining = true
            return Array(state.members.values)
        }
        for member in members { member(.drain) }
    }
}

/// One connection's place among those not admitted yet. On the connection's event loop.
package final class PendingPlace {
    private let channel: any Channel
    private let connections: PendingConnections
    fileprivate(set) var id: PendingTable.ID = 0
    private var isLeft = false
    /// Set by the handler that answers the connection's request; until then every order closes it.
    var onOrder: ((PendingConnections.Order) -> Void)?

    init(_ channel: any Channel, _ connections: PendingConnections) {
        self.channel = channel
        self.connections = connections
    }

    /// A proxy announced the connection's owner.
    package func name(_ address: IPAddress) {
        if !self.isLeft { self.connections.name(self.id, address) }
    }

    /// - Parameter headBytes: memory held by the request's head.
    func set(_ stage: PendingTable.Stage, headBytes: Int) {
        if !self.isLeft { self.connections.set(self.id, stage, headBytes: headBytes) }
    }

    /// The connection is a session, or has ended.
    func leave() {
        guard !self.isLeft else { return }
        self.isLeft = true
        self.onOrder = nil
        self.connections.leave(self.id)
    }

    fileprivate func obey(_ order: PendingConnections.Order) {
        guard !self.isLeft else { return }
        if order != .leave, let onOrder { return onOrder(order) }
        self.leave()
        self.channel.close(promise: nil)
    }
}

@available(*, unavailable)
extension PendingPlace: Sendable {}
