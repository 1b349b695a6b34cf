/// Connect, a round trip of one byte, close: this many in progress at once.
struct Connects: Workload {
    var name: String
    var concurrent = 16
    var goal: Double?
    var paths = Path.allCases

    var measures: [Measure] {
        [
            Measure(kind: .perCPUSecond(unit: "connects"), goal: self.goal.map { .atLeast($0) }),
            Measure(kind: .microseconds(percentile: 50)),
            Measure(kind: .microseconds(percentile: 99)),
        ]
    }

    func run(_ path: Path, in field: Field, seconds: Double) throws -> Sample {
        let connector = Connector(path, field)
        if path == .node {
            connector.session = try field.session(.v2)
            try field.wait("a session") { connector.session?.isReady == true }
        }
        for _ in 0..<self.concurrent { connector.open() }
        var sample = try field.measure(path, seconds: seconds) { Double(connector.count) }
        connector.isStopping = true
        try field.wait("the last connects") { connector.live.isEmpty }
        connector.session?.close()
        sample.roundTrips = connector.times.sorted()
        return sample
    }
}

private final class Connector {
    private let path: Path
    private let field: Field
    var session: NodeSession?
    var isStopping = false
    private(set) var live: [ObjectIdentifier: Lane] = [:]
    private(set) var count = 0
    private(set) var times: [UInt64] = []

    init(_ path: Path, _ field: Field) {
        self.path = path
        self.field = field
    }

    func open() {
        guard !self.isStopping else { return }
        let start = Clock.now
        guard let lane = self.session?.open(targetPort: self.field.target.port) ?? (try? self.field.openLane(self.path))
        else { return }
        let key = ObjectIdentifier(lane)
        self.live[key] = lane
        lane.onOpen = { [unowned lane] in lane.send([UInt8(ascii: "E"), 1]) }
        lane.onBytes = { [unowned self, unowned lane] _ in
            self.times.append(Clock.now - start)
            self.count += 1
            lane.close()
        }
        lane.onClosed = { [unowned self] in
            self.live[key] = nil
            self.open()
        }
    }
}
