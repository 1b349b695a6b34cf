import Foundation

/// As many WebSockets as one process can open on this machine, up to a number; then round trips of a message on some of them.
struct ManySessions {
    var wanted = 20_000

    func run(in field: Field) throws -> [FigureRow] {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        // Each costs the node a descriptor and this process one. A node reserves up to 384, and 50 sockets are added.
        let count = min(self.wanted, Int(clamping: limit.rlim_cur) - 600)
        Console.note("many sessions: opening \(count) WebSockets")
        field.restart(.node)
        defer { field.restart(.node) }
        var sessions: [NodeSession] = []
        while sessions.count < count {
            let batch = try (0..<min(50, count - sessions.count)).map { _ in try field.session(.v2) }
            try field.wait("WebSocket \(sessions.count) and its next \(batch.count)") { batch.allSatisfy(\.isReady) }
            sessions += batch
        }
        let resident = try field.proxy(.node)?.residentBytes ?? 0
        // One socket on each of 50 sessions, spread over all; one message in progress at a time in each, 20 a second.
        var lanes: [Lane] = []
        var opened = 0
        for index in 0..<50 {
            let lane = sessions[index * count / 50].open(targetPort: field.target.port)
            lane.onOpen = { opened += 1 }
            lanes.append(lane)
        }
        try field.wait("50 sockets") { opened == 50 }
        let pingers = lanes.map { Pinger($0, size: 64, pause: 0.05) }
        for pinger in pingers { pinger.start() }
        let turns = Turns(pingers)
        field.reactor.onTurn = { turns.run() }
        field.reactor.run(seconds: 1)
        for pinger in pingers { pinger.isTiming = true }
        var sample = try field.measure(.node, seconds: 5) { Double(pingers.reduce(0) { $0 + $1.count }) }
        sample.roundTrips = pingers.flatMap(\.roundTrips).sorted()
        field.reactor.onTurn = nil
        let alive = sessions.count { $0.isReady && $0.link.connection.isOpen }
        OpenLanes(lanes: lanes, sessions: sessions).close()
        guard alive == count else { throw BenchError("\(count - alive) of \(count) WebSockets were lost") }
        return [
            FigureRow(
                work: "\(count) WebSockets at once", measure: "ping-pong p99 us",
                figures: [.node: (sample.percentile(99) ?? 0) / 1000], goal: 5000),
            FigureRow(
                work: "\(count) WebSockets at once", measure: "MiB of the node",
                figures: [.node: Double(resident) / 1_048_576]),
        ]
    }
}

/// Lets pingers that wait for their next message send it when it is due.
private final class Turns {
    private let pingers: [Pinger]
    init(_ pingers: [Pinger]) { self.pingers = pingers }

    func run() {
        let now = Clock.now
        for pinger in self.pingers { pinger.turn(now) }
    }
}
