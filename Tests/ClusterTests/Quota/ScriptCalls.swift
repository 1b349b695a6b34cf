import RedisClient
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

/// One client's keys, and the scripts on them at a time chosen by the test.
struct ScriptCalls {
    let redis: RedisClient
    let clock: ManualClock
    var client = ClientID(text: "t:someone")
    /// Since when the caller is in contact, in microseconds.
    var contact: Int64 = 1

    struct Reserve {
        var epoch = "a.1"
        var generation: Int64 = 0
        var joins = true
        var replaces = ""
        var sequence: Int64
        var target = 0
        var open = 0
        /// Nil: as many as are open.
        var held: Int?
        var loose = 0
        /// Nil: now.
        var sentAt: QuotaInstant?
        var limit = 0
        var needsSlot = false
        var pace: GCRA.Pace?
        var requests = 0
        var requestsNeeded = 0
        var owed = 0
        var dayLimit: Int64 = 0
        var isSession = false
        var isResolve = false
    }

    struct Reserved: Equatable {
        enum Status: Int64 { case fenced, done, late, lost }
        enum Missing: Int64 { case nothing, dayBytes, slots, requests, rollCall }
        var status: Status
        var generation: Int64
        var hold: Int64
        var granted: Int64
        var room: Int64
        var requests: Int64
        var missing: Missing
        var wait: Int64

        init(_ numbers: [Int64]) throws(RedisError) {
            guard numbers.count == 9, let status = Status(rawValue: numbers[0]),
                let missing = Missing(rawValue: numbers[6])
            else { throw .unavailable("\(numbers)") }
            self.status = status
            (self.generation, self.hold, self.granted, self.room) = (numbers[1], numbers[2], numbers[3], numbers[4])
            (self.requests, self.missing, self.wait) = (numbers[5], missing, numbers[7])
        }
    }

    struct Grant {
        var rate: TokenBucket.Rate?
        var passed: Int64 = 0
        var wanted: Int64 = 0
        var dayLimit: Int64 = 0
        var dayPassed: Int64 = 0
        var returned: Int64 = 0
        var returnedDay: Int64 = -1
        var wantsDay = false
        /// The amount of half a second.
        var dayWanted: Int64 = 1
    }

    struct Granted: Equatable {
        var bytes: Int64
        var wait: Int64
        var leased: Int64
        var day: Int64
        var dayEndsIn: Int64
        var dayBytesLeft: Int64
    }

    static let timeToLive = QuotaDuration.seconds(15)
    var timeToLive = Self.timeToLive
    static let hold = QuotaDuration.seconds(16)

    var bucket: Int { RedisKeys.bucket(of: self.client) }
    var now: RedisArgument { .integer(self.clock.now().microseconds) }

    /// The words of a call.
    func words(_ call: Reserve) -> (keys: [RedisArgument], arguments: [RedisArgument]) {
        let keys = [
            RedisKeys.generation(self.bucket), RedisKeys.epochs(self.bucket),
            RedisKeys.leases(call.isSession ? .session : .socket, of: self.client),
            RedisKeys.requests(call.isResolve ? .resolve : .connect, of: self.client),
            RedisKeys.overrides(of: self.client), RedisKeys.day(of: self.client),
            RedisKeys.ungranted(call.isSession ? .sessions : call.isResolve ? .resolves : .sockets, of: self.client),
        ]
        let arguments: [RedisArgument] = [
            self.now, .integer(call.generation), .integer(Self.hold.microseconds), .string(call.epoch),
            .integer(self.timeToLive.microseconds), call.joins ? 1 : 0, .string(call.replaces),
            .integer(call.sequence), RedisArgument(call.target), RedisArgument(call.open),
            RedisArgument(call.held ?? call.open), RedisArgument(call.limit), call.needsSlot ? 1 : 0,
            .integer(call.pace?.interval ?? 0), .integer(call.pace?.burst ?? 0), RedisArgument(call.requests),
            RedisArgument(call.requestsNeeded), .integer(call.dayLimit),
            .string(call.isSession ? "max_sessions" : "max_connections"),
            .string(call.isResolve ? "resolves" : "connects"), RedisArgument(call.owed),
            .integer(self.contact), call.sentAt.map { .integer($0.microseconds) } ?? self.now,
            RedisArgument(call.loose),
        ]
        return (keys.map { .string($0) }, arguments)
    }

    func words(_ call: Grant) -> (keys: [RedisArgument], arguments: [RedisArgument]) {
        let keys = [
            RedisKeys.bandwidth(of: self.client), RedisKeys.day(of: self.client),
            RedisKeys.leases(.session, of: self.client), RedisKeys.overrides(of: self.client),
        ]
        let arguments: [RedisArgument] = [
            self.now, .integer(call.rate?.bytesPerSecond ?? 0), .integer(call.rate?.burst ?? 0), .integer(call.passed),
            .integer(call.wanted), .integer(call.dayLimit), .integer(call.dayPassed), .integer(call.returned),
            .integer(call.returnedDay), .integer(call.wantsDay ? call.dayWanted : 0),
        ]
        return (keys.map { .string($0) }, arguments)
    }

    func reserve(_ call: Reserve) async throws -> Reserved {
        let (keys, arguments) = self.words(call)
        return try Reserved(try await self.numbers(ClusterScripts.reserve, keys, arguments))
    }

    func grant(_ call: Grant) async throws -> Granted {
        let (keys, arguments) = self.words(call)
        let numbers = try await self.numbers(ClusterScripts.grant, keys, arguments)
        guard numbers.count == 7 else { throw RedisError.unavailable("\(numbers)") }
        return Granted(
            bytes: numbers[0], wait: numbers[1], leased: numbers[2], day: numbers[3], dayEndsIn: numbers[4],
            dayBytesLeft: numbers[5])
    }

    /// - Returns: status, generation, hold left.
    func heartbeat(_ epoch: String, generation: Int64 = 0, sentAt: QuotaInstant? = nil) async throws -> [Int64] {
        try await self.ofBucket(
            ClusterScripts.heartbeat, generation, sentAt,
            [.string(epoch), .integer(self.timeToLive.microseconds)])
    }

    func retire(_ epoch: String) async throws -> Int64? {
        try await self.redis.evaluate(
            ClusterScripts.retire, keys: [.string(RedisKeys.epochs(self.bucket))],
            arguments: [self.now, .string(epoch)]
        ).int64
    }

    /// - Returns: generation, hold left.
    func generation(known: Int64 = 0) async throws -> [Int64] {
        try await self.ofBucket(ClusterScripts.generation, known, nil, [])
    }

    /// - Returns: status, generation, hold left, how many are missing.
    func rollCall(_ node: String, generation: Int64, waitingFor peers: [String] = []) async throws -> [Int64] {
        try await self.ofBucket(
            ClusterScripts.rollCall, generation, nil, ([node] + peers).map { .string($0) })
    }

    /// Without the time.
    private func ofBucket(
        _ script: RedisScript, _ generation: Int64, _ sentAt: QuotaInstant?, _ arguments: [RedisArgument]
    ) async throws -> [Int64] {
        let numbers = try await self.numbers(
            script, [.string(RedisKeys.generation(self.bucket)), .string(RedisKeys.epochs(self.bucket))],
            [
                self.now, .integer(generation), .integer(Self.hold.microseconds), .integer(self.contact),
                sentAt.map { .integer($0.microseconds) } ?? self.now,
            ] + arguments)
        return numbers.dropLast()
    }

    /// - Returns: how many nodes there are.
    func register(_ node: String, timeToLive: QuotaDuration, _ facts: [String]) async throws -> Int? {
        try await self.redis.evaluate(
            ClusterScripts.register, keys: [.string(RedisKeys.nodes), .string(RedisKeys.node(node))],
            arguments: [self.now, .string(node), .integer(timeToLive.microseconds), "nodes"] + facts.map { .string($0) }
        ).array?.count
    }

    func override(_ limit: String, _ value: Int64) async throws {
        try await self.redis.send([
            "HSET", .string(RedisKeys.overrides(of: self.client)), .string(limit), .integer(value),
        ])
    }

    private func numbers(
        _ script: RedisScript, _ keys: [RedisArgument], _ arguments: [RedisArgument]
    ) async throws -> [Int64] {
        let reply = try await self.redis.evaluate(script, keys: keys, arguments: arguments)
        return reply.array?.compactMap(\.int64) ?? []
    }
}

/// Runs a test with the scripts, a clock and a server.
func withScripts(_ body: (ScriptCalls) async throws -> Void) async throws {
    try await withRedis { _, redis in
        let scripts = ScriptCalls(redis: redis, clock: ManualClock())
        // The data begins, and there is no other node.
        let generation = try await scripts.generation()[0]
        _ = try await scripts.rollCall("test", generation: generation)
        try await body(scripts)
    }
}
