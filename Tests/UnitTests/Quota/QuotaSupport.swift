import Synchronization
import WasmnetQuota

/// 2026-01-01T12:00:00Z.
let noon = QuotaInstant(microseconds: 1_767_268_800_000_000)
/// 2026-01-02T00:00:00Z.
let midnight = noon + .seconds(43_200)

func micro(_ count: Int64) -> QuotaDuration { .microseconds(count) }

extension ClientAllowance {
    /// The answer of an engine that answers at once; nil if it did not.
    func take(_ what: Reservation, _ now: QuotaInstant) -> Result<QuotaSlot?, QuotaRefusal>? {
        self.reserve(what, now: now) { _ in }
    }

    /// The slot, if one was granted.
    func slot(_ what: Reservation, _ now: QuotaInstant) -> QuotaSlot? {
        guard case .success(let slot) = self.take(what, now) else { return nil }
        return slot
    }

    func refusal(_ what: Reservation, _ now: QuotaInstant) -> QuotaRefusal? {
        guard case .failure(let refusal) = self.take(what, now) else { return nil }
        return refusal
    }
}

/// A number that many threads count with.
final class AtomicCount: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { self.count.load(ordering: .sequentiallyConsistent) }

    /// The value after it.
    @discardableResult
    func add(_ change: Int) -> Int { self.count.wrappingAdd(change, ordering: .sequentiallyConsistent).newValue }

    func raise(to value: Int) { self.count.max(value, ordering: .sequentiallyConsistent) }
}
