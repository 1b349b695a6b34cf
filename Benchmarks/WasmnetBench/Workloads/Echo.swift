/// Sends a message, and the next one when it has returned.
final class Pinger {
    private let lane: Lane
    private let message: [UInt8]
    /// Nanoseconds between an answer and the next message; 0 is none.
    private let pause: UInt64
    private var nextAt: UInt64?
    private var missing = 0
    private var sentAt: UInt64 = 0
    private(set) var count = 0
    /// While true, round trips are recorded.
    var isTiming = false
    private(set) var roundTrips: [UInt64] = []

    /// - Parameter pause: Seconds between an answer and the next message, which ``turn(_:)`` sends then.
    init(_ lane: Lane, size: Int, pause: Double = 0) {
        self.lane = lane
        self.pause = UInt64(pause * 1e9)
        self.message = [UInt8](repeating: 0x33, count: size)
        lane.onBytes = { [unowned self] in self.take($0.count) }
    }

    /// Sends the byte that makes the target an echo, and the first message.
    func start() {
        self.lane.send([UInt8(ascii: "E")])
        self.ping()
    }

    private func ping() {
        self.missing = self.message.count
        self.sentAt = Clock.now
        self.lane.send(self.message)
    }

    private func take(_ bytes: Int) {
        self.missing -= bytes
        guard self.missing <= 0 else { return }
        self.count += 1
        if self.isTiming { self.roundTrips.append(Clock.now - self.sentAt) }
        if self.pause > 0 { self.nextAt = Clock.now + self.pause } else { self.ping() }
    }

    func turn(_ now: UInt64) {
        guard let nextAt = self.nextAt, nextAt <= now else { return }
        self.nextAt = nil
        self.ping()
    }
}

/// Round trips of messages on many sockets, one in progress on each.
struct Echo: Workload {
    var name: String
    var size: Int
    var lanes: Int
    var carriers: Int
    var goal: Double?
    var paths = Path.allCases

    var measures: [Measure] {
        [
            Measure(kind: .perCPUSecond(unit: "messages"), goal: self.goal.map { .atLeast($0) }),
            Measure(kind: .microseconds(percentile: 50)),
            Measure(kind: .microseconds(percentile: 99)),
        ]
    }

    func run(_ path: Path, in field: Field, seconds: Double) throws -> Sample {
        let open = try field.open(path, lanes: self.lanes, carriers: self.carriers, dialect: .v2)
        defer { open.close() }
        let pingers = open.lanes.map { Pinger($0, size: self.size) }
        for pinger in pingers { pinger.start() }
        field.reactor.run(seconds: 0.2)
        for pinger in pingers { pinger.isTiming = true }
        var sample = try field.measure(path, seconds: seconds) { Double(pingers.reduce(0) { $0 + $1.count }) }
        sample.roundTrips = pingers.flatMap(\.roundTrips).sorted()
        return sample
    }
}

/// Round trips of one message, alone or beside other work on the same WebSocket.
struct PingPong: Workload {
    enum Beside {
        case nothing
        /// This many sockets that the target floods, read at full speed.
        case flood(Int)
        /// One flooded socket, with the client reading this many bytes a second of its connection.
        case slowDownload(bytesPerSecond: Int)
    }

    var name: String
    var beside: Beside
    var goals: [Measure]
    var paths = Path.allCases

    var measures: [Measure] { self.goals }

    func run(_ path: Path, in field: Field, seconds: Double) throws -> Sample {
        let others =
            switch self.beside {
            case .nothing: 0
            case .flood(let count): count
            case .slowDownload: 1
            }
        let open = try field.open(path, lanes: 1 + others, carriers: 1, dialect: .v2)
        defer {
            field.reactor.onTurn = nil
            open.close()
        }
        for lane in open.lanes.dropFirst() { lane.send([UInt8(ascii: "F")]) }
        if case .slowDownload(let rate) = self.beside { Self.pace(open.lanes[1].connection, rate, field.reactor) }
        // The backlog of a slow reader takes a while to build up in the queues.
        field.reactor.run(seconds: others > 0 ? 1 : 0.1)
        let pinger = Pinger(open.lanes[0], size: 64)
        pinger.start()
        field.reactor.run(seconds: 0.1)
        pinger.isTiming = true
        var sample = try field.measure(path, seconds: seconds) { Double(pinger.count) }
        sample.roundTrips = pinger.roundTrips.sorted()
        return sample
    }

    private static func pace(_ connection: Connection, _ bytesPerSecond: Int, _ reactor: Reactor) {
        var last = Clock.now
        connection.readAllowance = 0
        reactor.onTurn = {
            let now = Clock.now
            guard now - last >= 1_000_000 else { return }
            let more = Int(Double(now - last) / 1e9 * Double(bytesPerSecond))
            last = now
            // At most 10 ms of reading are saved up.
            connection.readAllowance = min((connection.readAllowance ?? 0) + more, bytesPerSecond / 100)
        }
    }
}
