import WasmnetPolicy
import WasmnetTesting

/// The events of a simulation and their times: from a seed.
struct Schedule: Sendable {
    enum Event: Sendable {
        /// No message reaches a node, or its connections are reset and refused.
        case cut(node: Int, for: Int64, resets: Bool)
        case pause(node: Int, for: Int64, readsFirst: Bool)
        case slow(node: Int, by: Int64, for: Int64)
        case repeats(for: Int64)
        case stall(for: Int64)
        /// Redis stops and starts again with its data, or without.
        case restart(after: Int64, isEmpty: Bool)
        case flush
        /// Another server with an older copy of the data replaces it.
        case failover(lag: Int64, after: Int64)
        case step(by: Int64)
        case kill(node: Int)
        case start
        case limit(to: Int)
        /// The key of a client's leases is deleted.
        case forget(client: Int)
    }

    struct Entry: Sendable {
        var at: Int64
        var event: Event
        /// The server that it happens to, if it happens to one.
        var server = 0
    }

    let seed: UInt64
    var nodes = 3
    var clients = 1
    /// Redis servers: more than one are a Redis Cluster, with a client on each.
    var servers = 1
    var limit = 10
    /// 0: unlimited.
    var bytesPerDay: UInt64 = 0
    var mode = OutageMode.static
    /// Nothing is unreachable for long enough to be an outage.
    var isMild = true
    /// The excess over the limit after an outage stays.
    var keepsExcess = false
    /// Clients open as many as they can.
    var isHungry = false
    /// Clients close nothing themselves: the excess stays until the nodes end it.
    var isGreedy: Bool { self.seed % 8 == 7 }
    /// When the last event is over, and there is no fault.
    var calm: Int64 = 0
    var events: [Entry] = []

    /// By then all nodes of the beginning have started.
    static let beginning = Int64.seconds(6)

    init(seed: UInt64) {
        self.seed = seed
        var random = SeededRandom(seed)
        self.nodes = .random(in: 3...5, using: &random)
        self.clients = .random(in: 1...2, using: &random)
        self.limit = [1, 2, 3, 5, 8, 12, 20, 30].randomElement(using: &random) ?? 10
        self.mode = [.static, .static, .closed, .fence].randomElement(using: &random) ?? .static
        self.isMild = Bool.random(using: &random)
        self.isHungry = Bool.random(using: &random)
        self.keepsExcess = Int.random(in: 0..<6, using: &random) == 0
        var time = Self.beginning
        if !self.isMild, Int.random(in: 0..<3, using: &random) > 0 {
            self.events = self.pattern(&random)
            time = self.events.last?.at ?? time
        }
        for _ in 0..<Int.random(in: 1...(self.events.isEmpty ? 5 : 2), using: &random) {
            // Some at almost the same time.
            time += .random(in: 0...(Bool.random(using: &random) ? 4_000_000 : 400_000), using: &random)
            self.events.append(Entry(at: time, event: self.event(&random)))
        }
        self.calm = self.events.map { $0.at + $0.event.length }.max() ?? time
        if Int.random(in: 0..<4, using: &random) == 0 {
            self.servers = 2
            self.clients = 2
            for index in self.events.indices { self.events[index].server = .random(in: 0..<2, using: &random) }
        }
        if Int.random(in: 0..<3, using: &random) == 0 {
            // An eighth of the largest is more than the smallest lease.
            self.bytesPerDay = .random(in: 1 << 16...1 << 23, using: &random)
        }
    }

    /// One that is given.
    init(
        seed: UInt64, nodes: Int = 3, limit: Int = 8, mode: OutageMode = .static, events: [Entry]
    ) {
        self.seed = seed
        self.nodes = nodes
        self.limit = limit
        self.mode = mode
        self.events = events
        self.calm = events.map { $0.at + $0.event.length }.max() ?? Self.beginning
    }

    /// Whether data is lost from now on, within so long.
    func losesData(within time: Int64, of now: Int64) -> Bool {
        self.events.contains { entry in
            switch entry.event {
            case .flush, .restart, .failover: entry.at + entry.event.length >= now && entry.at <= now + time
            default: false
            }
        }
    }

    /// Combinations that are rare by chance, and break more than one rule at a time.
    private func pattern(_ random: inout SeededRandom) -> [Entry] {
        func between(_ least: Double, _ most: Double) -> Int64 {
            .random(in: Int64.seconds(least)...Int64.seconds(most), using: &random)
        }
        let (start, node) = (Self.beginning + between(2, 4), Int.random(in: 0..<self.nodes, using: &random))
        switch Int.random(in: 0..<7, using: &random) {
        case 0, 1:
            // One is away for long enough that others have its slots; then more happens.
            let length = between(15, 22)
            let cut = Event.cut(node: node, for: length, resets: Bool.random(using: &random))
            let after: Event =
                switch Int.random(in: 0..<4, using: &random) {
                case 0: .flush
                case 1: .restart(after: between(0, 2), isEmpty: Bool.random(using: &random))
                case 2: .pause(node: node + 1, for: between(0, 4), readsFirst: true)
                default: .cut(node: node + 1, for: between(0, 9), resets: false)
                }
            return [Entry(at: start, event: cut), Entry(at: start + length + between(-2, 1), event: after)]
        case 2:
            // Data is lost, and before all have declared their slots Redis is suspended, or its clock is stepped.
            let after =
                Bool.random(using: &random) ? Event.stall(for: between(14, 20)) : .step(by: between(16, 60))
            return [Entry(at: start, event: .flush), Entry(at: start + between(0, 1.2), event: after)]
        case 3:
            // Data is lost twice, the second time unnoticed by one; and the declarations of the first loss arrive again.
            let second = start + between(1.5, 3)
            return [
                Entry(at: start, event: .repeats(for: between(4, 8))), Entry(at: start, event: .flush),
                Entry(at: second, event: .cut(node: node, for: between(2, 6), resets: false)),
                Entry(at: second + between(0, 0.3), event: .flush),
            ]
        case 4: return [Entry(at: start, event: .slow(node: node, by: between(0.6, 0.9), for: between(16, 24)))]
        case 5:
            return [
                Entry(at: start, event: .kill(node: node)),
                Entry(at: start + between(0, 3), event: .step(by: -between(16, 60))),
            ]
        default: return [Entry(at: start, event: .stall(for: between(13, 22)))]
        }
    }

    private func event(_ random: inout SeededRandom) -> Event {
        func up(to most: Double) -> Int64 { .random(in: 0..<Int64.seconds(most), using: &random) }
        let node = Int.random(in: 0..<self.nodes, using: &random)
        let long: Double = self.isMild ? 3.5 : ([3.5, 9, 24] as [Double]).randomElement(using: &random) ?? 9
        switch Int.random(in: 0..<13, using: &random) {
        case 0, 1: return .cut(node: node, for: up(to: long), resets: Bool.random(using: &random))
        case 2: return .pause(node: node, for: up(to: long), readsFirst: Bool.random(using: &random))
        case 3: return .slow(node: node, by: up(to: 0.8), for: up(to: 10))
        case 4: return .repeats(for: up(to: 10))
        case 5: return .stall(for: up(to: long))
        case 6: return .restart(after: up(to: self.isMild ? 2.5 : long), isEmpty: Bool.random(using: &random))
        case 7: return .flush
        case 8: return .failover(lag: up(to: 6), after: up(to: self.isMild ? 2.5 : long))
        case 9:
            let step = Int64.random(in: -60_000_000...60_000_000, using: &random)
            return .step(by: Bool.random(using: &random) ? step : step / 100)
        case 10: return .kill(node: node)
        case 11: return .forget(client: node)
        default:
            return Bool.random(using: &random)
                ? .start : .limit(to: Int.random(in: 1...self.limit, using: &random))
        }
    }

    var description: String {
        let head =
            "seed \(self.seed): \(self.nodes) nodes, \(self.servers) servers, \(self.clients) clients, limit \(self.limit), \(self.bytesPerDay) bytes a day, mode \(self.mode), \(self.keepsExcess ? "excess stays, " : "")\(self.isHungry ? "hungry, " : "")\(self.isGreedy ? "greedy, " : "")\(self.isMild ? "mild, " : "")calm from \(self.calm.inSeconds) s"
        return ([head] + self.events.map(\.description)).joined(separator: "\n")
    }
}

extension Schedule.Entry {
    var description: String {
        "  \(self.at.inSeconds) s: \(self.event)\(self.server == 0 ? "" : " (server \(self.server))")"
    }
}

extension Schedule.Event: CustomStringConvertible {
    /// How long it takes until all is normal again.
    var length: Int64 {
        switch self {
        case .cut(_, let length, _), .pause(_, let length, _), .slow(_, _, let length), .repeats(let length),
            .stall(let length), .restart(let length, _), .failover(_, let length):
            length
        case .flush, .step, .kill, .start, .limit, .forget: 0
        }
    }

    var description: String {
        switch self {
        case .cut(let node, let length, let resets):
            "node \(node) is cut off for \(length.inSeconds) s\(resets ? ", its connections reset" : "")"
        case .pause(let node, let length, let readsFirst):
            "node \(node) stands still for \(length.inSeconds) s, then \(readsFirst ? "reads" : "ticks") first"
        case .slow(let node, let delay, let length):
            "what node \(node) sends and hears takes up to \(delay.inSeconds) s, for \(length.inSeconds) s"
        case .repeats(let length): "some questions are carried twice, for \(length.inSeconds) s"
        case .stall(let length): "Redis stands still for \(length.inSeconds) s"
        case .restart(let length, let isEmpty):
            "Redis stops, and starts \(isEmpty ? "empty" : "with its data") after \(length.inSeconds) s"
        case .flush: "FLUSHALL"
        case .failover(let lag, let length):
            "Redis stops, and a replica \(lag.inSeconds) s behind takes its place after \(length.inSeconds) s"
        case .step(let step): "Redis' clock is stepped by \(step.inSeconds) s"
        case .kill(let node): "node \(node) is killed"
        case .start: "a node starts"
        case .forget(let client): "the leases' key of client \(client) is deleted"
        case .limit(let limit): "the limit becomes \(limit)"
        }
    }
}
