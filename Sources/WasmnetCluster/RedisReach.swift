import Synchronization
import WasmnetNet
import WasmnetQuota

/// How one Redis answers, for all its users; read without a lock on every path.
final class RedisReach: Sendable {
    private struct State {
        var watch: OutageWatch
        var contact = RedisContact()

        func silence(now: QuotaInstant) -> QuotaDuration { self.watch.unansweredSince.map { now - $0 } ?? .zero }
    }
    private let state: Guarded<State>
    private let outage = Atomic<Bool>(false)
    /// Microseconds; 0: all is answered.
    private let unansweredSince = Atomic<Int64>(0)

    init(outageTime: QuotaDuration) {
        self.state = Guarded(State(watch: OutageWatch(outageTime: outageTime)))
    }

    /// Redis was silent for so long that the policy's `redis_failure` applies.
    var isOutage: Bool { self.outage.load(ordering: .acquiring) }

    /// Whether something has been unanswered for longer than rates and bandwidth wait.
    func isSilent(for time: QuotaDuration, now: QuotaInstant) -> Bool {
        let since = self.unansweredSince.load(ordering: .relaxed)
        return since != 0 && now.microseconds - since >= time.microseconds
    }

    func asked(now: QuotaInstant) { self.change { $0.watch.asked(now: now) } }

    /// - Parameter time: Redis' time according to the answer, in microseconds; nil: not stated.
    /// - Returns: whether an outage ended just now.
    func answered(time: Int64?, sentAt: QuotaInstant, now: QuotaInstant) -> Bool {
        self.change { state in
            if let time {
                state.contact.answered(time: time, sentAt: sentAt, now: now, silence: state.silence(now: now))
            }
            return state.watch.answered()
        }
    }

    /// - Returns: whether an outage began just now.
    func tick(now: QuotaInstant) -> Bool { self.change { $0.watch.tick(now: now) } }

    func connected() { self.change { $0.watch.connected() } }

    func isProbeDue(now: QuotaInstant) -> Bool { self.state.withLock { $0.watch.isProbeDue(now: now) } }

    /// Start of the contact and the present time, both by Redis' clock in microseconds; 0: not known.
    func stamp(now: QuotaInstant) -> (since: Int64, time: Int64) {
        self.state.withLock {
            ($0.contact.since(now: now, silence: $0.silence(now: now)), $0.contact.time(now: now))
        }
    }

    private func change<Answer>(_ body: (inout State) -> Answer) -> Answer {
        self.state.withLock { state in
            defer {
                self.outage.store(state.watch.isOutage, ordering: .releasing)
                self.unansweredSince.store(state.watch.unansweredSince?.microseconds ?? 0, ordering: .relaxed)
            }
            return body(&state)
        }
    }
}
