import RedisClient
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetCluster

/// Operations on several clients of several nodes, their answers by the in-process ledger, and the scripts that must answer the same.
struct OperationLog {
    /// The client's answers.
    enum Answer: Hashable {
        case admitted
        case refused(QuotaRefusal)
        case released
        /// After bytes passed.
        case charged(pause: QuotaDuration?, day: QuotaRefusal?)
    }

    /// One operation.
    struct Step {
        var number: Int
        var words: String
        var script: RedisScript
        var keys: [RedisArgument]
        var arguments: [RedisArgument]
        var expected: Answer
        /// The meaning of the script's numbers.
        var read: @Sendable ([Int64]) -> Answer?
    }

    private struct Client {
        let scripts: ScriptCalls
        let allowance: any ClientAllowance
        var limits: ClientLimits
        /// Of each node and kind.
        var slots: [[QuotaSlot]] = [[QuotaSlot]](repeating: [], count: OperationLog.nodes * 2)
    }

    private static let nodes = 3
    private let clock: ManualClock
    private let ledger: InProcessLedger
    private var random: SeededRandom
    private var clients: [Client] = []
    private var number = 0

    init(seed: UInt64, clients: Int, redis: RedisClient) {
        let clock = ManualClock()
        self.clock = clock
        self.ledger = InProcessLedger { clock.now() }
        self.random = SeededRandom(seed)
        for index in 0..<clients {
            var scripts = ScriptCalls(redis: redis, clock: clock, client: ClientID(text: "t:\(seed).\(index)"))
            // No epoch ends, whatever the clock does.
            scripts.timeToLive = .seconds(86_400 * 10_000)
            let limits = Self.limits(&self.random, like: nil)
            self.clients.append(
                Client(
                    scripts: scripts, allowance: self.ledger.allowance(for: scripts.client, limits: limits),
                    limits: limits))
        }
    }

    /// Random limits; unlimited ones stay so.
    private static func limits(_ random: inout SeededRandom, like old: ClientLimits?) -> ClientLimits {
        func pick(_ old: Double?, _ range: ClosedRange<Double>) -> Double {
            if let old { return old == 0 ? 0 : .random(in: range, using: &random) }
            return Int.random(in: 0..<6, using: &random) == 0 ? 0 : .random(in: range, using: &random)
        }
        return ClientLimits.only(
            maxConnections: Int(pick(old.map { Double($0.maxConnections) }, 1...6)),
            maxSessions: Int(pick(old.map { Double($0.maxSessions) }, 1...4)),
            connectsPerSecond: pick(old?.connectsPerSecond, 0.5...12),
            connectBurst: Int.random(in: 0...6, using: &random),
            resolvesPerSecond: pick(old?.resolvesPerSecond, 0.5...12),
            resolveBurst: Int.random(in: 0...6, using: &random),
            bytesPerSecond: pick(old?.bytesPerSecond, 100...200_000),
            byteBurst: Int.random(in: 0...200_000, using: &random),
            bytesPerDay: UInt64(pick(old.map { Double($0.bytesPerDay) }, 100_000...20_000_000)))
    }

    mutating func next() -> Step {
        self.number += 1
        self.passTime()
        let index = Int.random(in: 0..<self.clients.count, using: &self.random)
        switch Int.random(in: 0..<100, using: &self.random) {
        case 0: self.changeLimits(of: index)
        default: break
        }
        let node = Int.random(in: 0..<Self.nodes, using: &self.random)
        switch Int.random(in: 0..<100, using: &self.random) {
        case 0..<12: return self.reserve(.session, index, node)
        case 12..<38: return self.reserve(.socket, index, node)
        case 38..<46: return self.reserve(.accepted, index, node)
        case 46..<58: return self.reserve(.resolve, index, node)
        case 58..<66: return self.release(.session, index, node)
        case 66..<84: return self.release(.socket, index, node)
        default: return self.charge(index)
        }
    }

    private mutating func passTime() {
        let now = self.clock.now().microseconds
        switch Int.random(in: 0..<1000, using: &self.random) {
        case 0:
            self.clock.advance(.seconds(.random(in: 3600...40_000, using: &self.random)))
        case 1..<4:
            // A clock that is set back, within the day: the count of a day in either engine depends on when it checks.
            let back = Int64.random(in: 1_100_000...300_000_000, using: &self.random)
            if now % 86_400_000_000 > back + 2_000_000 { self.clock.advance(.microseconds(-back)) }
        case 4..<40:
            let back = Int64.random(in: 0...1_000_000, using: &self.random)
            if now % 86_400_000_000 > back { self.clock.advance(.microseconds(-back)) }
        case 40..<80:
            self.clock.advance(.milliseconds(.random(in: 0...3000, using: &self.random)))
        default:
            self.clock.advance(.microseconds(.random(in: 0...9000, using: &self.random)))
        }
    }

    private mutating func changeLimits(of index: Int) {
        let limits = Self.limits(&self.random, like: self.clients[index].limits)
        self.clients[index].limits = limits
        self.clients[index].allowance.apply(limits: limits)
    }

    // MARK: Operations

    private mutating func reserve(_ what: Reservation, _ index: Int, _ node: Int) -> Step {
        let (limits, clock) = (self.clients[index].limits, self.clock)
        var call = self.call(what == .session ? .session : .socket, index, node)
        switch what {
        case .session: break
        case .socket:
            call.pace = GCRA.Pace(perSecond: limits.connectsPerSecond, burst: limits.connectBurst)
            call.dayLimit = Int64(limits.bytesPerDay)
        case .accepted: break
        case .resolve:
            call.pace = GCRA.Pace(perSecond: limits.resolvesPerSecond, burst: limits.resolveBurst)
            (call.limit, call.isResolve) = (0, true)
        }
        if call.pace != nil { (call.requests, call.requestsNeeded) = (1, 1) }
        if call.limit > 0 { (call.target, call.needsSlot) = (call.open + 1, true) }
        let target = call.limit > 0 ? Int64(call.target) : 0
        let answer = self.clients[index].allowance.reserve(what, now: clock.now()) { _ in }
        var expected = Answer.admitted
        switch answer {
        case .success(let slot):
            if let slot { self.clients[index].slots[self.place(slot.kind, node)].append(slot) }
        case .failure(let refusal): expected = .refused(refusal)
        case nil: break
        }
        return self.step("\(what)", call, index, expected) { numbers in
            guard let reply = try? ScriptCalls.Reserved(numbers), reply.status == .done else { return nil }
            switch reply.missing {
            case .nothing:
                return reply.granted == target ? .admitted : nil
            case .dayBytes: return .refused(QuotaRefusal(kind: .dayBytes, retryAfter: .microseconds(reply.wait)))
            case .slots: return .refused(QuotaRefusal(kind: what == .session ? .sessions : .sockets))
            case .requests:
                let kind = what == .resolve ? QuotaKind.resolveRate : .connectRate
                return .refused(QuotaRefusal(kind: kind, retryAfter: .microseconds(reply.wait)))
            case .rollCall: return nil
            }
        }
    }

    private mutating func release(_ kind: SlotKind, _ index: Int, _ node: Int) -> Step {
        self.clients[index].slots[self.place(kind, node)].popLast()?.release()
        var call = self.call(kind, index, node)
        call.target = call.open
        return self.step("release", call, index, .released) { numbers in
            let reply = try? ScriptCalls.Reserved(numbers)
            return reply?.status == .done && reply?.missing == .nothing ? .released : nil
        }
    }

    private mutating func charge(_ index: Int) -> Step {
        let client = self.clients[index]
        let bytes = Int64.random(in: 1...(Bool.random(using: &self.random) ? 2000 : 120_000), using: &self.random)
        let now = self.clock.now()
        client.allowance.charge(bytes: Int(bytes), now: now)
        let expected = Answer.charged(
            pause: client.allowance.pause(now: now).map { $0 - now },
            day: client.allowance.dayBytesExhausted(now: now))
        let rate = TokenBucket.Rate(bytesPerSecond: client.limits.bytesPerSecond, burst: client.limits.byteBurst)
        let dayLimit = Int64(client.limits.bytesPerDay)
        let (keys, arguments) = client.scripts.words(
            ScriptCalls.Grant(rate: rate, passed: bytes, dayLimit: dayLimit, dayPassed: bytes))
        return Step(
            number: self.number, words: "\(bytes) bytes of client \(index)", script: ClusterScripts.grant, keys: keys,
            arguments: arguments, expected: expected
        ) { numbers in
            guard numbers.count == 7 else { return nil }
            let day = QuotaRefusal(kind: .dayBytes, retryAfter: .microseconds(numbers[4]))
            return .charged(
                pause: numbers[1] > 0 ? .microseconds(numbers[1]) : nil,
                day: dayLimit > 0 && numbers[5] == 0 ? day : nil)
        }
    }

    // MARK: Parts

    private func place(_ kind: SlotKind, _ node: Int) -> Int { node * 2 + (kind == .session ? 0 : 1) }

    private func call(_ kind: SlotKind, _ index: Int, _ node: Int) -> ScriptCalls.Reserve {
        let client = self.clients[index]
        return ScriptCalls.Reserve(
            epoch: "node\(node).1", sequence: Int64(self.number), open: client.slots[self.place(kind, node)].count,
            limit: kind == .session ? client.limits.maxSessions : client.limits.maxConnections,
            isSession: kind == .session)
    }

    private func step(
        _ words: String, _ call: ScriptCalls.Reserve, _ index: Int, _ expected: Answer,
        read: @escaping @Sendable ([Int64]) -> Answer?
    ) -> Step {
        let (keys, arguments) = self.clients[index].scripts.words(call)
        return Step(
            number: self.number, words: "\(words) of client \(index)", script: ClusterScripts.reserve, keys: keys,
            arguments: arguments, expected: expected, read: read)
    }
}
