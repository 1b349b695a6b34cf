/// A path from the client to the target: the columns of the report.
enum Path: String, CaseIterable, Codable {
    case node
    case haproxy = "HAProxy"
    case websockify
    case direct
}

/// The proxies and the target of a run, and how lanes are opened through each.
final class Field {
    let reactor = Reactor()
    let target: Target
    private let node: NodeSetup
    private var proxies: [Path: Proxy] = [:]

    /// Scripts that Redis was asked to run so far.
    var countCalls: () throws -> Int = { 0 }

    init(_ node: NodeSetup) throws {
        self.node = node
        self.target = try Target(on: self.reactor)
    }

    func stop() {
        for proxy in self.proxies.values { proxy.stop() }
        self.target.stop()
    }

    /// The proxy of a path, started on first use; nil for a direct connection.
    func proxy(_ path: Path) throws -> Proxy? {
        if let running = self.proxies[path] { return running }
        switch path {
        case .direct: return nil
        case .node: self.proxies[path] = try .node(self.node)
        case .haproxy: self.proxies[path] = try .haproxy(target: self.target.port)
        case .websockify: self.proxies[path] = try .websockify(target: self.target.port)
        }
        return self.proxies[path]
    }

    /// Ends a path's proxy, so that the next run has a fresh one.
    func restart(_ path: Path) {
        self.proxies.removeValue(forKey: path)?.stop()
    }

    func session(_ dialect: NodeSession.Dialect) throws -> NodeSession {
        guard let node = try self.proxy(.node) else { throw BenchError("no node") }
        return try NodeSession(port: node.port, dialect: dialect, on: self.reactor)
    }

    /// Opens a lane that is a separate connection.
    func openLane(_ path: Path) throws -> Lane {
        switch path {
        case .node: throw BenchError("a node's lanes belong to a session")
        case .direct: return try TCPLane(port: self.target.port, on: self.reactor)
        case .haproxy: return try TCPLane(port: try self.proxy(path)?.port ?? 0, on: self.reactor)
        case .websockify: return try WebSocketLane(port: try self.proxy(path)?.port ?? 0, on: self.reactor)
        }
    }

    /// Opens lanes and waits until all are open: on a node `carriers` WebSockets carry them, elsewhere each is a connection.
    func open(_ path: Path, lanes count: Int, carriers: Int, dialect: NodeSession.Dialect) throws -> OpenLanes {
        var opened = 0
        var lanes: [Lane] = []
        var sessions: [NodeSession] = []
        if path == .node {
            for _ in 0..<carriers { sessions.append(try self.session(dialect)) }
            try self.wait("sessions") { sessions.allSatisfy(\.isReady) }
            for index in 0..<count { lanes.append(sessions[index % carriers].open(targetPort: self.target.port)) }
        } else {
            for _ in 0..<count { lanes.append(try self.openLane(path)) }
        }
        for lane in lanes { lane.onOpen = { opened += 1 } }
        try self.wait("\(count) connections by \(path.rawValue)") { opened == count }
        return OpenLanes(lanes: lanes, sessions: sessions)
    }

    func wait(_ what: String, seconds: Double = 30, until isDone: () -> Bool) throws {
        guard self.reactor.run(seconds: seconds, until: isDone) else {
            throw BenchError("\(what): not done within \(Int(seconds)) s")
        }
    }
}

/// Open lanes, with the sessions that carry them.
struct OpenLanes {
    var lanes: [Lane]
    var sessions: [NodeSession]

    func close() {
        for lane in self.lanes {
            lane.onClosed = {}
            lane.onRoom = {}
            lane.onBytes = { _ in }
        }
        for session in self.sessions { session.close() }
        if self.sessions.isEmpty { for lane in self.lanes { lane.close() } }
    }
}
