import RedisClient
import WasmnetPolicy
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

/// Nodes, a Redis and clients in virtual time, under a schedule. The same seed is the same run.
final class SimulatedCluster: @unchecked Sendable {
    let schedule: Schedule
    let time = VirtualTime()
    let servers: [SimulatedServer]
    let trace: SimulationTrace
    private(set) var nodes: [SimulatedNode] = []
    private(set) var limits: [ClientLimits] = []
    private var random: SeededRandom
    private let rules: SimulatedNode.Rules
    private(set) var bounds: SimulatedBounds!
    private(set) var day: SimulatedDay!
    private(set) var faults: [String] = []
    /// The number of opens.
    private(set) var opened = 0
    private var isLoaded = true

    /// - Parameter connections: to one Redis, at least one for each server.
    init(
        _ schedule: Schedule, connections: [BlockingRedis], scripts: SimulatedScripts, traces: Bool = false
    ) throws {
        self.schedule = schedule
        self.random = SeededRandom(schedule.seed ^ 0x5EED)
        self.trace = SimulationTrace(isOn: traces)
        try connections[0].send(["FLUSHALL"])
        let time = self.time
        self.servers = try (0..<schedule.servers).map {
            try SimulatedServer($0, connections[$0], scripts: scripts, time: time)
        }
        var modes = OutageModes(all: schedule.mode)
        modes.keepsExcess = schedule.keepsExcess
        self.rules = SimulatedNode.Rules(modes: modes, clients: Array(Self.allClients.prefix(schedule.clients)))
        for (index, server) in self.servers.enumerated() {
            server.published = { [unowned self] in self.published($0) }
            server.ended = { [unowned self] in
                for node in self.nodes where node.isAlive { node.links[index].processEnded() }
            }
        }
        self.bounds = SimulatedBounds(self)
        self.day = SimulatedDay(self)
    }

    /// One client in each of the first buckets: then no order of a dictionary matters.
    private static let allClients = (0..<2).map { bucket in
        var number = 0
        while RedisKeys.bucket(of: ClientID(text: "t:\(number)")) != bucket { number += 1 }
        return ClientID(text: "t:\(number)")
    }

    var clients: [ClientID] { self.rules.clients }
    /// The server of a client's keys.
    func server(of client: Int) -> SimulatedServer { self.servers[client % self.servers.count] }
    var isServed: Bool { self.servers.allSatisfy { $0.isUp && !$0.isStalled } }
    var live: [Int] { self.nodes.indices.filter { self.nodes[$0].isAlive } }

    func total(_ client: Int) -> Int { self.nodes.reduce(0) { $0 + ($1.isAlive ? $1.sockets[client].count : 0) } }

    func fault(_ words: String) {
        self.trace.note(self.time.now, "fault") { words }
        self.faults.append("\(self.time.now.inSeconds) s: \(words)")
    }

    // MARK: The run

    func run() {
        for _ in 0..<self.schedule.nodes {
            self.time.after(.random(in: 0..<1_000_000, using: &self.random)) { self.start() }
        }
        for (index, entry) in self.schedule.events.enumerated() {
            if case .failover(let lag, _) = entry.event {
                self.time.at(entry.at - lag) { self.servers[entry.server].takeSnapshot(index + 1) }
            }
            self.time.at(entry.at) { self.happens(entry, index) }
        }
        self.watch()
        let calm = self.schedule.calm
        self.run(until: calm)
        self.trace.note(calm, "cluster") { "calm" }
        let settled = calm + self.bounds.settlingTime
        self.run(until: settled)
        guard self.faults.isEmpty else { return }
        self.bounds.expectNoExcess()
        self.isLoaded = false
        self.leaveRoom()
        // Spare slots are returned.
        self.run(until: settled + .seconds(3))
        self.expectGrowth()
        self.run(until: settled + .seconds(4.5))
        for index in self.live {
            for client in self.clients.indices { self.nodes[index].close(client, .max, newest: true) }
        }
        self.run(until: settled + .seconds(8))
        guard self.faults.isEmpty else { return }
        self.bounds.expectNothingLeft()
        self.day.expectAllCharged()
    }

    private func run(until end: Int64) { self.time.run(until: end) { self.faults.isEmpty } }

    private func watch() {
        self.bounds.look()
        self.time.after(.milliseconds(100)) { self.watch() }
    }

    /// Room for each node to open one and to keep some spare.
    private var roomNeeded: Int { 9 * self.live.count }
    private var leastLimit: Int { self.live.map { self.limits[$0].maxConnections }.min() ?? 0 }

    private func leaveRoom() {
        for client in self.clients.indices {
            while self.total(client) > max(self.leastLimit - self.roomNeeded, 0) {
                self.live.first { !self.nodes[$0].sockets[client].isEmpty }.map {
                    self.nodes[$0].close(client, 1, newest: true)
                }
            }
        }
    }

    /// Every node can open one more, or one can if there is little room.
    private func expectGrowth() {
        let nodes =
            self.leastLimit > self.roomNeeded ? self.live : self.live.shuffled(using: &self.random).prefix(1).map { $0 }
        // An open in progress when room was left may have taken it.
        let most = max(self.leastLimit - self.roomNeeded, 0)
        for client in self.clients.indices where self.total(client) <= most {
            for index in nodes {
                self.open(index, client) { refusal in
                    // Its day may be spent.
                    guard let refusal, refusal.kind != .dayBytes else { return }
                    self.fault(
                        "there is room, and client \(client) is refused on \(self.nodes[index].name): \(refusal)")
                }
            }
        }
        if let index = self.live.randomElement(using: &self.random) {
            for client in self.clients.indices {
                self.day.expectMore(of: client, on: self.nodes[index], limits: self.limits[index])
            }
        }
        self.time.after(.seconds(1.4)) {
            let waiting = self.live.reduce(0) { $0 + self.nodes[$1].waiting }
            if waiting > 0 { self.fault("\(waiting) opens have no answer") }
        }
    }

    // MARK: Nodes

    private func start() {
        let index = self.nodes.count
        let node = SimulatedNode(
            name: "node \(index)", seed: self.schedule.seed &* 1000 &+ UInt64(index), rules: self.rules,
            time: self.time, servers: self.servers, trace: self.trace)
        self.nodes.append(node)
        self.limits.append(
            self.limits.last
                ?? .only(maxConnections: self.schedule.limit, bytesPerDay: self.schedule.bytesPerDay))
        node.others = { [unowned self, unowned node] in
            self.nodes.count { $0 !== node && $0.isAlive && $0.hasJoined && $0.links[0].isUp }
        }
        node.tells = { [unowned self, unowned node] in self.bounds.tellsToEnd(node, $0, $1, isFence: $2, silence: $3) }
        node.ends = { [unowned node] client, count in node.close(client, count, newest: true) }
        node.isDone = { [unowned self, unowned node] in
            if let words = $0.fault(most: self.bounds.maxGranted) { self.fault("\(node.name): \(words)") }
        }
        node.gaveUp = { [unowned self] in self.time.after(.seconds(1)) { self.startWhenAllowed() } }
        node.start()
        for client in self.clients.indices { self.load(index, client) }
    }

    /// "joined" and the node.
    private func published(_ words: String) {
        for other in self.nodes where !words.hasSuffix(other.id) && other.links[0].isUp {
            self.time.after(.random(in: 100...2000, using: &self.random)) {
                other.receives { if other.hasJoined { other.register() } }
            }
        }
    }

    /// Excluded as in docs/limits.md, "What is left": a start right after a loss that a node cannot know about.
    private func startWhenAllowed() {
        if self.bounds.mayStart {
            self.start()
        } else {
            self.time.after(.milliseconds(500)) { self.startWhenAllowed() }
        }
    }

    // MARK: Load

    private func load(_ index: Int, _ client: Int) {
        let node = self.nodes[index]
        var appetite = 0.8
        var until: Int64 = 0
        func next() {
            node.after(.random(in: 30_000...600_000, using: &self.random)) {
                defer { next() }
                guard self.isLoaded, node.canServe else { return }
                if self.time.now >= until {
                    until = self.time.now + .random(in: 500_000...5_000_000, using: &self.random)
                    appetite =
                        (self.schedule.isHungry ? [0.5, 0.8, 1, 1] : [0.1, 0.5, 0.8, 1]).randomElement(
                            using: &self.random) ?? 0.5
                }
                let count = Bool.random(using: &self.random) ? 1 : Int.random(in: 1...4, using: &self.random)
                self.pass(index, client)
                if Double.random(in: 0..<1, using: &self.random) < appetite || self.schedule.isGreedy {
                    for _ in 0..<count {
                        self.open(index, client) { if let refusal = $0 { self.bounds.refused(node, refusal) } }
                    }
                } else {
                    node.close(client, count, newest: Bool.random(using: &self.random))
                }
            }
        }
        next()
    }

    private func pass(_ index: Int, _ client: Int) {
        let node = self.nodes[index]
        guard self.schedule.bytesPerDay > 0, !node.sockets[client].isEmpty else { return }
        let bytes = node.pass(.random(in: 1...1 << 18, using: &self.random), of: client, self.limits[index])
        self.day.passes(bytes, of: client, on: node)
    }

    private func open(_ index: Int, _ client: Int, then done: @escaping (QuotaRefusal?) -> Void) {
        self.nodes[index].open(client, self.limits[index]) { refusal in
            if refusal == nil {
                self.opened += 1
                self.bounds.opened(client)
            }
            done(refusal)
        }
    }

    // MARK: Events

    private func happens(_ entry: Schedule.Entry, _ index: Int) {
        self.trace.note(self.time.now, "cluster") { entry.description }
        let server = self.servers[entry.server]
        switch entry.event {
        case .cut(let node, let length, let resets):
            self.with(
                node, for: length, { $0.links.forEach { $0.cut(resets: resets) } }, { $0.links.forEach { $0.mend() } })
        case .pause(let node, let length, let readsFirst):
            self.with(node, for: length, { $0.pause() }, { $0.wake(readsFirst: readsFirst) })
        case .slow(let node, let delay, let length):
            self.with(
                node, for: length, { $0.links.forEach { $0.slowness = delay } },
                { $0.links.forEach { $0.slowness = 0 } })
        case .repeats(let length):
            let links = self.nodes.flatMap(\.links)
            for link in links { link.repeats = true }
            self.time.after(length) { for link in links { link.repeats = false } }
        case .stall(let length): server.stall(for: length)
        case .restart(let length, let isEmpty):
            guard server.isUp else { return }
            server.stop()
            self.time.after(length) {
                if isEmpty { self.day.loses { server.flush() } }
                server.start()
                self.bounds.lost()
            }
        case .failover(_, let length):
            guard server.isUp else { return }
            server.stop()
            self.time.after(length) {
                self.day.loses { server.goBack(to: index + 1) }
                server.start()
                self.bounds.lost()
            }
        case .flush:
            self.day.loses { server.flush() }
            self.bounds.lost()
        case .step(let step):
            server.offset += step
            self.bounds.stepped()
        case .forget(let client):
            // Excluded as in docs/limits.md, "What is left": a loss before the lease is declared again.
            let (index, server) = (client % self.clients.count, self.server(of: client % self.clients.count))
            guard server.isUp, !server.isStalled,
                !self.schedule.losesData(within: .seconds(12), of: self.time.now)
            else { return }
            _ = server.ask(["DEL", .string(RedisKeys.leases(.socket, of: self.clients[index]))])
            self.bounds.forgot()
        case .kill(let node):
            guard self.live.count > 1, let index = self.live.dropFirst(node % self.live.count).first else { return }
            self.nodes[index].kill()
            self.bounds.died()
            self.day.died()
        case .start: self.startWhenAllowed()
        case .limit(let limit):
            for index in self.live {
                self.time.after(.random(in: 0...300_000, using: &self.random)) {
                    self.bounds.lowers()
                    self.bounds.disturbed()
                    self.limits[index].maxConnections = limit
                    if self.nodes[index].isAlive, self.nodes[index].hasJoined {
                        self.nodes[index].apply(self.limits[index])
                    }
                }
            }
        }
    }

    /// Excluded as in docs/limits.md, "What is left": a node that joined a moment ago and is unreachable.
    private func with(
        _ number: Int, for length: Int64, _ begin: (SimulatedNode) -> Void, _ end: @escaping (SimulatedNode) -> Void
    ) {
        guard let index = self.live.dropFirst(number % max(self.live.count, 1)).first else { return }
        let node = self.nodes[index]
        guard node.hasJoined, self.time.now - node.startedAt > .seconds(8) || node.startedAt < .seconds(2) else {
            return
        }
        begin(node)
        self.bounds.isOutOfReach(until: self.time.now + length)
        self.time.after(length) { if node.isAlive { end(node) } }
    }
}
