import Glibc
import Synchronization
import WasmnetCluster
import WasmnetQuota

/// The cost of idle clients for a node: the check of each of them, four times a second, and its calls to Redis.
struct LedgerTick {
    var clients = 10_000

    static let header = ["clients of one node that are idle", "us a look", "share of a CPU", "Redis calls/s"]
    private static let looksPerSecond = 4.0

    func rows(seconds: Double) throws -> [[String]] {
        Console.note("ledger: \(self.clients) clients")
        let redis = try RedisProbe()
        defer { redis.stop() }
        let ledger = RedisLedger(
            redis: redis.client,
            settings: ClusterSettings { QuotaInstant(microseconds: 1_770_000_000_000_000 + Int64(Clock.now / 1000)) })
        try redis.begin()
        let slots = Slots()
        let limits = ClientLimits.only(
            maxConnections: 50, maxSessions: 8, connectsPerSecond: 20, resolvesPerSecond: 20,
            bytesPerSecond: 12_500_000,
            bytesPerDay: 20 << 30)
        for index in 0..<self.clients {
            slots.take(ledger.allowance(for: ClientID(text: "a:198.18.\(index >> 8).\(index & 0xFF)"), limits: limits))
            // As clients connect in practice, not all in one turn of the event loop.
            if index % 500 == 499 { try self.wait { slots.count == index + 1 } }
        }
        // Until the amounts drawn ahead are returned.
        self.turn(ledger, seconds: 4)
        let (calls, start) = (try redis.calls(), Clock.now)
        let nanoseconds = self.turn(ledger, seconds: max(seconds, 5))
        let elapsed = Double(Clock.now - start) / 1e9
        let share = nanoseconds * Double(self.clients) * Self.looksPerSecond / 1e9
        return [
            [
                "\(self.clients)", format(nanoseconds / 1000), "\(format(share * 100)) %",
                format(Double(try redis.calls() - calls) / elapsed),
            ]
        ]
    }

    /// - Returns: nanoseconds of this thread's CPU time for one client and check.
    @discardableResult
    private func turn(_ ledger: RedisLedger, seconds: Double) -> Double {
        let looks = Int(seconds * Self.looksPerSecond)
        var used: UInt64 = 0
        for _ in 0..<looks {
            let before = Self.threadTime
            ledger.tick()
            used += Self.threadTime - before
            usleep(250_000)
        }
        return Double(used) / Double(looks * self.clients)
    }

    private static var threadTime: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private func wait(until isDone: () -> Bool) throws {
        let end = Clock.now + 10_000_000_000
        while !isDone() {
            guard Clock.now < end else { throw BenchError("the clients were not admitted within 10 s") }
            usleep(1000)
        }
    }
}

/// Holds a session of each client.
private final class Slots: Sendable {
    private let held = Mutex<[QuotaSlot]>([])

    var count: Int { self.held.withLock { $0.count } }

    func take(_ allowance: any ClientAllowance) {
        let now = QuotaInstant(microseconds: 1_770_000_000_000_000 + Int64(Clock.now / 1000))
        let answer = allowance.reserve(.session, now: now) { self.keep($0) }
        if let answer { self.keep(answer) }
    }

    private func keep(_ answer: Result<QuotaSlot?, QuotaRefusal>) {
        if case .success(let slot?) = answer { self.held.withLock { $0.append(slot) } }
    }
}
