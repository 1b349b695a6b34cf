/// The cost of idle sessions and sockets for a proxy: its resident memory before and after they open.
struct IdleMemory {
    var sessions = 500
    var socketsPerSession = 20

    func run(in field: Field) throws -> [FigureRow] {
        Console.note("idle memory: node, \(self.sessions) WebSockets with \(self.socketsPerSession) sockets each")
        let node = try self.measureNode(field)
        Console.note("idle memory: HAProxy, \(self.sessions * 5) connections")
        let haproxy = try self.measureHAProxy(field, connections: self.sessions * 5)
        return [
            FigureRow(
                work: "idle WebSocket", measure: "KiB",
                figures: [.node: node.session / 1024, .haproxy: haproxy / 1024],
                goal: 12),
            FigureRow(
                work: "idle socket", measure: "KiB", figures: [.node: node.socket / 1024, .haproxy: haproxy / 1024],
                goal: 5),
        ]
    }

    private func measureNode(_ field: Field) throws -> (session: Double, socket: Double) {
        field.restart(.node)
        defer { field.restart(.node) }
        // One-time costs of the first session (code, pools) count for no session.
        let first = try field.open(.node, lanes: 1, carriers: 1, dialect: .v2)
        let proxy = try field.proxy(.node)
        let before = proxy?.residentBytes ?? 0
        // One at a time: a node allows one address 64 connections that are not sessions yet.
        let sessions = try (0..<self.sessions).map { _ in
            let session = try field.session(.v2)
            try field.wait("a session") { session.isReady }
            return session
        }
        let between = proxy?.residentBytes ?? 0
        var opened = 0
        var lanes: [Lane] = []
        for session in sessions {
            for _ in 0..<self.socketsPerSession {
                let lane = session.open(targetPort: field.target.port)
                lane.onOpen = { opened += 1 }
                lanes.append(lane)
            }
            // A burst of dials beyond the target's backlog would measure retries.
            try field.wait("sockets") { opened == lanes.count }
        }
        let after = proxy?.residentBytes ?? 0
        OpenLanes(lanes: first.lanes + lanes, sessions: first.sessions + sessions).close()
        return (
            Double(between - before) / Double(self.sessions),
            Double(after - between) / Double(self.sessions * self.socketsPerSession)
        )
    }

    private func measureHAProxy(_ field: Field, connections: Int) throws -> Double {
        field.restart(.haproxy)
        defer { field.restart(.haproxy) }
        let proxy = try field.proxy(.haproxy)
        // The connections that checked whether it listens have arrived before ours do.
        try field.wait("HAProxy") { field.target.acceptedCount > 0 && field.target.openCount == 0 }
        let before = proxy?.residentBytes ?? 0
        let start = field.target.acceptedCount
        var lanes: [Lane] = []
        for _ in 0..<connections {
            lanes.append(try field.openLane(.haproxy))
            try field.wait("connections") { field.target.acceptedCount == start + lanes.count }
        }
        let after = proxy?.residentBytes ?? 0
        OpenLanes(lanes: lanes, sessions: []).close()
        return Double(after - before) / Double(connections)
    }
}
