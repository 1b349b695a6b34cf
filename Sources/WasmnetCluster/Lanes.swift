import WasmnetQuota

/// What a client takes, by what is asked for together.
package enum LaneKind: Int, CaseIterable, Sendable {
    case sessions, sockets, resolves

    /// The slots that its leases are of; lookups have none, and name those of sockets.
    var slots: SlotKind { self == .sessions ? .session : .socket }
}

/// One value for each lane.
struct PerLane<Value: Sendable>: Sendable {
    private var values: [Value]

    init(_ value: Value) {
        self.values = LaneKind.allCases.map { _ in value }
    }

    subscript(lane: LaneKind) -> Value {
        get { self.values[lane.rawValue] }
        set { self.values[lane.rawValue] = newValue }
    }
}

extension PerLane where Value: Collection {
    var isEmpty: Bool { self.values.allSatisfy(\.isEmpty) }
}

/// The three lanes of one client.
struct Lanes: Sendable {
    var sessions = Lane(slots: .sessions, requests: .connectRate)
    var sockets = Lane(slots: .sockets, requests: .connectRate)
    var resolves = Lane(slots: .sockets, requests: .resolveRate)

    subscript(lane: LaneKind) -> Lane {
        get {
            switch lane {
            case .sessions: self.sessions
            case .sockets: self.sockets
            case .resolves: self.resolves
            }
        }
        _modify {
            switch lane {
            case .sessions: yield &self.sessions
            case .sockets: yield &self.sockets
            case .resolves: yield &self.resolves
            }
        }
    }

    mutating func apply(_ limits: ClientLimits) {
        self.sessions.apply(slotLimit: limits.maxSessions)
        self.sockets.apply(slotLimit: limits.maxConnections)
        self.sockets.pace = GCRA.Pace(perSecond: limits.connectsPerSecond, burst: limits.connectBurst)
        self.resolves.pace = GCRA.Pace(perSecond: limits.resolvesPerSecond, burst: limits.resolveBurst)
    }

    var areDeclared: Bool { self.sessions.isDeclared && self.sockets.isDeclared }

    var isIdle: Bool { self.sessions.isIdle && self.sockets.isIdle && self.resolves.isIdle }
}

extension Reservation {
    var lane: LaneKind {
        switch self {
        case .session: .sessions
        case .socket, .accepted: .sockets
        case .resolve: .resolves
        }
    }

    var need: Lane.Need {
        switch self {
        case .session, .accepted: Lane.Need(slot: true, request: false)
        case .socket: Lane.Need(slot: true, request: true)
        case .resolve: Lane.Need(slot: false, request: true)
        }
    }

    var requestKind: RequestKind? {
        switch self {
        case .socket: .connect
        case .resolve: .resolve
        case .session, .accepted: nil
        }
    }

    var slotKind: SlotKind? {
        switch self {
        case .session: .session
        case .socket, .accepted: .socket
        case .resolve: nil
        }
    }
}
