import RedisClient

/// A Redis that stops, loses data, goes back and has its clock stepped in virtual time; the scripts run in a real one.
final class SimulatedServer: @unchecked Sendable {
    private let redis: BlockingRedis
    /// Its database in the real Redis; the next ones are for its copies.
    private let database: Int
    static let databasesEach = 8
    private let scripts: SimulatedScripts
    private let time: VirtualTime
    /// The start of virtual time: half past noon of some day.
    static let start: Int64 = 1_770_000_000_000_000 / 86_400_000_000 * 86_400_000_000 + 45_000_000_000

    /// The answering process; connections are to one.
    private(set) var process: Int
    private(set) var isUp = true
    /// Its clock is ahead by this.
    var offset: Int64 = 0
    private var stalledUntil: Int64 = 0
    private var stalled: [() -> Void] = []
    /// Called when a process has ended.
    var ended: () -> Void = {}
    /// Called with a script's publications.
    var published: (String) -> Void = { _ in }

    init(_ index: Int, _ redis: BlockingRedis, scripts: SimulatedScripts, time: VirtualTime) throws {
        self.redis = redis
        self.database = index * Self.databasesEach
        self.process = 1 + 1000 * index
        self.scripts = scripts
        self.time = time
        try redis.send(["SELECT", RedisArgument(self.database)])
    }

    var isStalled: Bool { self.time.now < self.stalledUntil }

    /// Runs a task once it is not stalled.
    func whenRunning(_ body: @escaping () -> Void) {
        if self.isStalled { self.stalled.append(body) } else { body() }
    }

    /// - Returns: the script's answer, and the sum of its client's leases before and after it.
    func run(
        _ script: RedisScript, keys: [RedisArgument], arguments: [RedisArgument]
    ) -> (answer: Result<RESPValue, RedisError>, tally: [Int]) {
        do {
            let all = try self.redis.run(
                self.scripts.simulated(script), keys: keys,
                arguments: [.string("\(self.clock) \(self.process)")] + arguments.dropFirst())
            guard let parts = all.array, parts.count == 3 else { throw RedisError.unavailable("no answer") }
            if let words = parts[1].array?.first?.string { self.published(words) }
            return (.success(parts[0]), parts[2].array?.compactMap(\.int) ?? [])
        } catch {
            return (.failure(error as? RedisError ?? .unavailable("\(error)")), [])
        }
    }

    var clock: Int64 { Self.start + self.time.now + self.offset }

    func ask(_ command: RedisCommand) -> RESPValue { (try? self.redis.send(command)) ?? .null }

    // MARK: Faults

    func stall(for length: Int64) {
        self.stalledUntil = max(self.stalledUntil, self.time.now + length)
        self.time.at(self.stalledUntil) {
            guard !self.isStalled else { return }
            let waiting = self.stalled
            self.stalled = []
            for body in waiting { body() }
        }
    }

    func stop() {
        self.isUp = false
        self.process += 1
        self.ended()
    }

    func start() {
        self.isUp = true
        self.startedAt = self.time.now
    }

    private var startedAt = -Int64.seconds(100)
    /// As Redis counts it: up to one second too many.
    var uptime: Int64 { (self.time.now - self.startedAt) / 1_000_000 + 1 }

    func flush() { _ = self.ask(["FLUSHDB"]) }

    /// Keeps a copy of all data.
    func takeSnapshot(_ number: Int) {
        for command in [["SELECT", self.copy(number)], ["FLUSHDB"], ["SELECT", self.copy(0)]] {
            _ = self.ask(RedisCommand(command))
        }
        _ = try? self.redis.run(SimulatedScripts.copyAll, keys: [], arguments: [self.copy(number)])
    }

    private func copy(_ number: Int) -> RedisArgument { RedisArgument(self.database + number) }

    /// Restores the data of that time.
    func goBack(to number: Int) {
        self.flush()
        _ = self.ask(["SELECT", self.copy(number)])
        _ = try? self.redis.run(SimulatedScripts.copyAll, keys: [], arguments: [self.copy(0)])
        _ = self.ask(["SELECT", self.copy(0)])
    }
}
