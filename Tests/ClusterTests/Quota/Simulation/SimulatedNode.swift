import RedisClient
import WasmnetPolicy
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

/// A node with the shipped code, from its start to its death: its ledger, and around it the work of `ClusterMember`.
final class SimulatedNode: @unchecked Sendable {
    struct Rules {
        var modes: OutageModes
        var clients: [ClientID]
    }

    let name: String
    let id: String
    private let time: VirtualTime
    private let servers: [SimulatedServer]
    private let rules: Rules
    private var random: SeededRandom
    /// One for each server.
    private(set) var links: [SimulatedLink] = []
    private(set) var ledger: RedisLedger!
    private let trace: SimulationTrace
    /// Its clock is ahead by this.
    private let clockOffset: Int64

    private(set) var isAlive = true
    /// It has read the state of Redis, and serves.
    private(set) var hasJoined = false
    private(set) var isPaused = false
    private var missed: [() -> Void] = []
    private var received: [() -> Void] = []
    private var isRegistering = false
    private var registersAgain = false
    /// Its contact with a server.
    struct Contact {
        /// When the last answered request was sent.
        var heardAt: Int64
        /// Since when no silence was long enough to break it.
        var since: Int64
        var lastHeard: Int64
        /// No answer arrived for long enough that it may have opened on credit, or that its lease may have lapsed.
        var wasSilent = false
    }
    /// By server.
    private var contacts: [Contact]
    /// The rest of a client's day that others can still draw, as Redis last reported it.
    private struct DayReport {
        /// A client that the node forgets and that returns has another one.
        weak var allowance: (any ClientAllowance)?
        var left: Int64
    }
    private var dayReports: [DayReport?]
    let startedAt: Int64
    /// The other listeners at Redis.
    var others: () -> Int = { 0 }
    /// This many sockets of a client must end; whether by the fence.
    var ends: (_ client: Int, _ count: Int) -> Void = { _, _ in }
    /// Called before; `silence`: for how long no answer came.
    var tells: (_ client: Int, _ count: Int, _ isFence: Bool, _ silence: Int64) -> Void = { _, _, _, _ in }
    /// Redis has executed its request.
    var isDone: (SimulatedQuestion) -> Void = { _ in }
    /// It could not join, and has ended.
    var gaveUp: () -> Void = {}

    /// Slots in use, by client, the oldest first.
    var sockets: [[QuotaSlot]]
    /// Opens that were not answered yet.
    private(set) var waiting = 0

    init(
        name: String, seed: UInt64, rules: Rules, time: VirtualTime, servers: [SimulatedServer],
        trace: SimulationTrace
    ) {
        self.name = name
        self.time = time
        self.servers = servers
        self.rules = rules
        self.trace = trace
        self.random = SeededRandom(seed)
        self.id = String(UInt64.random(in: 1 << 60 ... .max, using: &self.random), radix: 16)
        self.clockOffset = .random(in: -3_600_000_000...3_600_000_000, using: &self.random)
        self.contacts = servers.map { _ in Contact(heardAt: time.now, since: time.now, lastHeard: time.now) }
        self.dayReports = rules.clients.map { _ in nil }
        self.startedAt = time.now
        self.sockets = rules.clients.map { _ in [] }
        self.links = servers.enumerated().map {
            SimulatedLink(self, $0.offset, $0.element, time, SeededRandom(self.random.next()))
        }
        let base = SimulatedServer.start + self.clockOffset
        var settings = ClusterSettings(nodeID: self.id) { QuotaInstant(microseconds: base + time.now) }
        settings.modes = rules.modes
        var events = ClusterEvents()
        events.lost = { [unowned self] in
            self.note { "lost data" }
            self.register()
        }
        events.recovered = { [unowned self] in
            let length = $0
            self.note { "recovered after \(length.microseconds.inSeconds)" }
        }
        events.peersNeeded = { [unowned self] in self.register() }
        events.excess = { [unowned self] client, count in
            let index = self.rules.clients.firstIndex(of: client) ?? 0
            self.tellsToEnd(index, count, isFence: false)
        }
        events.fenced = { [unowned self] client, count, _ in
            let index = self.rules.clients.firstIndex(of: client) ?? 0
            self.tellsToEnd(index, count, isFence: true)
        }
        events.modeChanged = { [unowned self] outages, _ in self.note { "outages: \(outages)" } }
        self.ledger = RedisLedger(
            redis: SimulatedCarrier(self), settings: settings, events: events, bucketCount: rules.clients.count)
    }

    private func tellsToEnd(_ client: Int, _ count: Int, isFence: Bool) {
        self.tells(client, count, isFence, self.time.now - self.contact(ofClient: client).heardAt)
        // The sockets' own event loops do this.
        self.after(.random(in: 0...20_000, using: &self.random)) { self.ends(client, count) }
    }

    var now: QuotaInstant { QuotaInstant(microseconds: SimulatedServer.start + self.clockOffset + self.time.now) }

    func note(_ words: () -> String) { self.trace.note(self.time.now, self.name, words) }

    // MARK: Running

    /// Runs a task later, if the node lives and once it runs.
    func after(_ length: Int64, _ body: @escaping () -> Void) {
        self.time.after(length) {
            guard self.isAlive else { return }
            if self.isPaused { self.missed.append(body) } else { body() }
        }
    }

    /// A message arrived from the network.
    func receives(_ body: @escaping () -> Void) {
        guard self.isAlive else { return }
        if self.isPaused { self.received.append(body) } else { body() }
    }

    func pause() { self.isPaused = true }

    func wake(readsFirst: Bool) {
        self.isPaused = false
        let bodies = readsFirst ? self.received + self.missed : self.missed + self.received
        self.missed = []
        self.received = []
        for body in bodies where self.isAlive { body() }
    }

    func kill() {
        self.isAlive = false
        self.missed = []
        self.received = []
    }

    /// A node without requests is heard through its heartbeats; its contact breaks by then at the latest.
    private static let longestPause = Int64.seconds(7.5)

    func heard(from server: Int, questionOf sentAt: Int64) {
        let now = self.time.now
        self.contacts[server].heardAt = max(self.contacts[server].heardAt, sentAt)
        if now - self.contacts[server].lastHeard > Self.longestPause { self.contacts[server].since = now }
        self.contacts[server].lastHeard = now
    }

    /// The one with the server of a client's keys.
    func contact(ofClient client: Int) -> Contact { self.contacts[client % self.contacts.count] }

    func wasSilent(toClient client: Int) { self.contacts[client % self.contacts.count].wasSilent = true }

    /// An answer about a client's bytes.
    func heardOfDay(_ keys: [RedisArgument], _ reply: RESPValue) {
        let client = self.rules.clients.firstIndex { keys.contains(.string(RedisKeys.day(of: $0))) }
        guard let client, let left = reply.array?[5].int64 else { return }
        self.dayReports[client] = DayReport(
            allowance: self.ledger.knownAllowance(of: self.rules.clients[client]), left: left)
    }

    /// Nil: not known.
    func dayBytesLeft(of client: Int) -> Int64? {
        guard let known = self.ledger.knownAllowance(of: self.rules.clients[client]),
            let report = self.dayReports[client], report.allowance === known
        else { return nil }
        return report.left
    }

    /// Whether its path to Redis is free, and was a moment ago.
    var isWell: Bool { !self.isPaused && self.links.allSatisfy(\.isUndisturbed) && self.ledger.outages == 0 }

    /// Whether it is connected to every server.
    var isConnectedToAll: Bool { self.links.allSatisfy(\.isUp) }

    // MARK: Life

    func start() { for link in self.links { link.connect() } }

    func isConnected() {
        guard self.hasJoined else {
            if self.isConnectedToAll { self.join() }
            return
        }
        self.ledger.reconnected()
    }

    func isDisconnected() {
        guard self.hasJoined else { return self.leave() }
        self.ledger.disconnected(.closed)
    }

    private func join() {
        // The request for the listeners, and its answer.
        self.after(2000) {
            // Each server of a Redis Cluster knows only its own listeners.
            let isAlone = self.servers.count == 1 && self.others() == 0 && self.servers[0].uptime >= 3
            self.note { "starts\(isAlone ? " alone" : "")" }
            self.after(2000) {
                self.ledger.learnGenerations(isAlone: isAlone) { failure in
                    if failure != nil { return self.leave() }
                    self.after(0) { self.begin() }
                }
            }
        }
    }

    private func leave() {
        guard self.isAlive, !self.hasJoined else { return }
        self.kill()
        self.gaveUp()
    }

    private func begin() {
        self.hasJoined = true
        self.note { "joined" }
        self.tick()
        self.registerOften()
    }

    private func tick() {
        self.ledger.tick()
        self.after(250_000 + .random(in: 0...5000, using: &self.random)) { self.tick() }
    }

    private func registerOften() {
        self.register()
        self.after(5_000_000) { self.registerOften() }
    }

    func register() {
        if self.isRegistering {
            self.registersAgain = true
            return
        }
        self.isRegistering = true
        self.after(0) { self.sendRegistration() }
    }

    private func sendRegistration() {
        self.registersAgain = false
        self.links[0].run(
            ClusterScripts.register, keys: [.string(RedisKeys.nodes), .string(RedisKeys.node(self.id))],
            arguments: [0, .string(self.id), 15_000_000, "joins", "name", .string(self.name)], deadline: nil
        ) { result in
            if case .success(let reply) = result, let ids = reply.array?.compactMap(\.string) {
                self.ledger.registered(ids)
            }
            self.isRegistering = false
            if self.registersAgain { self.register() }
        }
    }

    // MARK: Clients

    private func allowance(_ client: Int, _ limits: ClientLimits) -> any ClientAllowance {
        self.ledger.allowance(for: self.rules.clients[client], limits: limits)
    }

    func apply(_ limits: ClientLimits) {
        for client in self.rules.clients.indices { _ = self.allowance(client, limits) }
    }

    var canServe: Bool { self.isAlive && self.hasJoined && !self.isPaused }

    func open(_ client: Int, _ limits: ClientLimits, then done: @escaping (QuotaRefusal?) -> Void) {
        self.waiting += 1
        let heard: (Result<QuotaSlot?, QuotaRefusal>) -> Void = { result in
            self.waiting -= 1
            guard self.isAlive else { return }
            switch result {
            case .success(let slot):
                if let slot { self.sockets[client].append(slot) }
                self.note { "opened, has \(self.sockets[client].count)" }
                done(nil)
            case .failure(let refusal): done(refusal)
            }
        }
        let box = Unchecked(heard)
        let allowance = self.allowance(client, limits)
        if let atOnce = allowance.reserve(.socket, now: self.now, later: { box.value($0) }) { heard(atOnce) }
    }

    /// - Returns: how many bytes of these passed.
    func pass(_ bytes: Int, of client: Int, _ limits: ClientLimits) -> Int {
        let allowance = self.allowance(client, limits)
        guard allowance.pause(now: self.now) == nil else { return 0 }
        let passed = allowance.draw(bytes: bytes, now: self.now)
        self.note { "passed \(passed) of \(bytes) bytes" }
        return passed
    }

    func close(_ client: Int, _ count: Int, newest: Bool) {
        for _ in 0..<min(count, self.sockets[client].count) {
            (newest ? self.sockets[client].removeLast() : self.sockets[client].removeFirst()).release()
        }
        self.note { "closed, has \(self.sockets[client].count)" }
    }
}

/// Transfers a value that one thread uses at a time.
struct Unchecked<Value>: @unchecked Sendable {
    let value: Value

    init(_ value: Value) { self.value = value }
}
