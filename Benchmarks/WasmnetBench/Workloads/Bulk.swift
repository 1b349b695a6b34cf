/// Bytes one way over a few sockets, at full speed.
struct Bulk: Workload {
    enum Direction { case down, up }

    var name: String
    var direction: Direction
    var dialect = NodeSession.Dialect.v2
    var lanes = 4
    var messageSize = 16 << 10
    var goal: Double?
    var paths = Path.allCases

    var measures: [Measure] {
        [
            Measure(kind: .perCPUSecond(unit: "MB"), goal: self.goal.map { .atLeast($0) }),
            Measure(kind: .perSecond(unit: "MB")),
        ]
    }

    func run(_ path: Path, in field: Field, seconds: Double) throws -> Sample {
        let open = try field.open(path, lanes: self.lanes, carriers: 1, dialect: self.dialect)
        defer { open.close() }
        switch self.direction {
        case .down:
            var received = 0
            for lane in open.lanes {
                lane.onBytes = { received += $0.count }
                lane.send([UInt8(ascii: "F")])
            }
            return try field.measure(path, seconds: seconds) { Double(received) / 1e6 }
        case .up:
            for lane in open.lanes { lane.send([UInt8(ascii: "S")]) }
            let pump = Pump(open.lanes, messageSize: self.messageSize)
            defer { pump.stop() }
            pump.run()
            return try field.measure(path, seconds: seconds) { Double(field.target.sunk) / 1e6 }
        }
    }
}

/// Keeps lanes up full: a few messages a lane and turn, as far as there is room.
final class Pump {
    private let lanes: [Lane]
    private let message: [UInt8]

    init(_ lanes: [Lane], messageSize: Int) {
        self.lanes = lanes
        self.message = [UInt8](repeating: 0xA5, count: messageSize)
        for lane in lanes { lane.onRoom = { [unowned self] in self.run() } }
    }

    func run() {
        for lane in self.lanes {
            for _ in 0..<4 where lane.room >= self.message.count { self.message.withUnsafeBytes { lane.send($0) } }
        }
        for lane in self.lanes { lane.flush() }
        for lane in self.lanes {
            let mayGoOn = self.lanes.contains { $0.connection === lane.connection && $0.room >= self.message.count }
            if lane.connection.wantsToWrite != mayGoOn { lane.connection.wantsToWrite = mayGoOn }
        }
    }

    func stop() {
        for lane in self.lanes {
            lane.onRoom = {}
            lane.connection.wantsToWrite = false
        }
    }
}
