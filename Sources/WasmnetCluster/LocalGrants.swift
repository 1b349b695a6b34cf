import WasmnetQuota

/// What a client takes, grouped by what one query covers.
package enum ResourceKind: Int, CaseIterable, Sendable {
    case sessions, sockets, resolves

    /// The kind of slot of its leases; lookups have none, and use that of sockets.
    var slots: SlotKind { self == .sessions ? .session : .socket }
}

/// One value for each resource.
struct PerResource<Value: Sendable>: Sendable {
    private var values: [Value]

    init(_ value: Value) {
        self.values = ResourceKind.allCases.map { _ in value }
    }

    subscript(resource: ResourceKind) -> Value {
        get { self.values[resource.rawValue] }
        set { self.values[resource.rawValue] = newValue }
    }
}

extension PerResource where Value: Collection {
    var isEmpty: Bool { self.values.allSatisfy(\.isEmpty) }
}

/// The three grants of one client.
struct LocalGrants: Sendable {
    var sessions = LocalGrant(slots: .sessions, requests: .connectRate)
    var sockets = LocalGrant(slots: .sockets, requests: .connectRate)
    var resolves = LocalGrant(slots: .sockets, requests: .resolveRate)

    subscript(resource: ResourceKind) -> LocalGrant {
        get {
            switch resource {
            case .sessions: self.sessions
            case .sockets: self.sockets
            case .resolves: self.resolves
            }
        }
        _modify {
            switch resource {
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
    var resource: ResourceKind {
        switch self {
        case .session: .sessions
        case .socket, .accepted: .sockets
        case .resolve: .resolves
        }
    }

    var need: LocalGrant.Need {
        switch self {
        case .session, .accepted: LocalGrant.Need(slot: true, request: false)
        case .socket: LocalGrant.Need(slot: true, request: true)
        case .resolve: LocalGrant.Need(slot: false, request: true)
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
