import Synchronization
import WasmnetQuota

/// How one Redis answers, for all who ask it; read without a lock on every path.
final class RedisReach: Sendable {
    private let watch: Guarded<OutageWatch>
    private let outage = Atomic<Bool>(false)
    /// Microseconds; 0: all is answered.
    private let unansweredSince = Atomic<Int64>(0)

    init(outageTime: QuotaDuration) {
        self.watch = Guarded(OutageWatch(outageTime: outageTime))
    }

    /// Nothing was heard for so long that the policy's `redis_failure` holds.
    var isOutage: Bool { self.outage.load(ordering: .acquiring) }

    /// Whether something is unanswered for longer than what is counted by the second waits.
    func isSilent(for time: QuotaDuration, now: QuotaInstant) -> Bool {
        let since = self.unansweredSince.load(ordering: .relaxed)
        return since != 0 && now.microseconds - since >= time.microseconds
    }

    func asked(now: QuotaInstant) { self.change { $0.asked(now: now) } }

    /// - Returns: whether an outage ended just now.
    func answered() -> Bool { self.change { $0.answered() } }

    /// - Returns: whether an outage began just now.
    func tick(now: QuotaInstant) -> Bool { self.change { $0.tick(now: now) } }

    func isProbeDue(now: QuotaInstant) -> Bool { self.watch.withLock { $0.isProbeDue(now: now) } }

    private func change<Answer>(_ body: (inout OutageWatch) -> Answer) -> Answer {
        self.watch.withLock { watch in
            defer {
                self.outage.store(watch.isOutage, ordering: .releasing)
                self.unansweredSince.store(watch.unansweredSince?.microseconds ?? 0, ordering: .relaxed)
            }
            return body(&watch)
        }
    }
}
