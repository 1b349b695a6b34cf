/// A client's even use: connects one after the other at a rate, and round trips of bytes on sockets that stay open.
struct Steady: Workload {
    var name: String
    /// Connects a second, each with a round trip of a byte before it closes; 0 is none.
    var connects = 0.0
    /// Whether the next connect waits for the last one's end. Else it is sent when it is due, and may be refused.
    var isOneByOne = true
    /// Sockets that stay open.
    var sockets = 4
    /// Bytes a second that these send, and receive back.
    var bytes = 0
    var paths = [Path.node]
    var measures: [Measure] { [Measure(kind: .redisCallsPerSecond)] }

    /// Units are successful connects.
    func run(_ path: Path, in field: Field, seconds: Double) throws -> Sample {
        let open = try field.open(path, lanes: max(self.sockets, 1), carriers: 1, dialect: .v2)
        let client = SteadyClient(self, open, field)
        defer {
            field.reactor.onTurn = nil
            open.close()
        }
        field.reactor.onTurn = { client.turn(Clock.now) }
        field.reactor.run(seconds: 2)
        var sample = try field.measure(path, seconds: seconds) { Double(client.done) }
        sample.roundTrips = client.times.sorted()
        return sample
    }
}

private final class SteadyClient {
    private let work: Steady
    private let field: Field
    private let session: NodeSession
    private let echoes: [Lane]
    private var live: [ObjectIdentifier: Lane] = [:]
    private var nextConnect = Clock.now
    private var nextBytes = Clock.now
    private(set) var done = 0
    private(set) var times: [UInt64] = []

    init(_ work: Steady, _ open: OpenLanes, _ field: Field) {
        self.work = work
        self.field = field
        self.session = open.sessions[0]
        self.echoes = open.lanes
        for lane in self.echoes { lane.send([UInt8(ascii: "E")]) }
    }

    func turn(_ now: UInt64) {
        if self.work.connects > 0, now >= self.nextConnect, !self.work.isOneByOne || self.live.isEmpty {
            self.nextConnect = max(self.nextConnect + UInt64(1e9 / self.work.connects), now - 1_000_000_000)
            self.connect()
        }
        if self.work.bytes > 0, now >= self.nextBytes {
            self.nextBytes = now + 50_000_000
            let message = [UInt8](repeating: 0x33, count: self.work.bytes / 20 / self.echoes.count)
            for lane in self.echoes where lane.room >= message.count { lane.send(message) }
        }
    }

    private func connect() {
        let start = Clock.now
        let lane = self.session.open(targetPort: self.field.target.port)
        let key = ObjectIdentifier(lane)
        self.live[key] = lane
        lane.onOpen = { [unowned lane] in lane.send([UInt8(ascii: "E"), 1]) }
        lane.onBytes = { [weak self, unowned lane] _ in
            self?.times.append(Clock.now - start)
            self?.done += 1
            lane.close()
        }
        lane.onClosed = { [weak self] in self?.live[key] = nil }
        if !self.work.isOneByOne { lane.onRefused = { [weak self] in self?.live[key] = nil } }
    }
}
