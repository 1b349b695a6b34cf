import Synchronization
import WasmnetQuota

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A clock that tests set; safe from every thread.
final class TestClock: Sendable {
    private let microseconds: Atomic<Int64>

    init(_ start: QuotaInstant = noon) {
        self.microseconds = Atomic(start.microseconds)
    }

    var now: QuotaInstant { QuotaInstant(microseconds: self.microseconds.load(ordering: .relaxed)) }

    func set(_ instant: QuotaInstant) { self.microseconds.store(instant.microseconds, ordering: .relaxed) }

    func advance(_ by: QuotaDuration) { self.microseconds.wrappingAdd(by.microseconds, ordering: .relaxed) }
}

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
final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { self.count.load(ordering: .sequentiallyConsistent) }

    /// The value after it.
    @discardableResult
    func add(_ change: Int) -> Int { self.count.wrappingAdd(change, ordering: .sequentiallyConsistent).newValue }

    func raise(to value: Int) { self.count.max(value, ordering: .sequentiallyConsistent) }
}
