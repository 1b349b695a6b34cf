import Synchronization
package import WasmnetQuota
import WasmnetRelay

/// A clock that only a test advances; safe from every thread.
package final class ManualClock: RelayClock {
    private let microseconds: Atomic<Int64>

    /// - Parameter start: by default 12:30 UTC on 2026-02-02.
    package init(_ start: QuotaInstant = QuotaInstant(microseconds: 1_770_035_400_000_000)) {
        self.microseconds = Atomic(start.microseconds)
    }

    package func now() -> QuotaInstant { QuotaInstant(microseconds: self.microseconds.load(ordering: .relaxed)) }
    package func uptimeNanoseconds() -> Int64 { self.microseconds.load(ordering: .relaxed) * 1000 }

    package func set(_ instant: QuotaInstant) { self.microseconds.store(instant.microseconds, ordering: .relaxed) }

    /// - Returns: the moment after it.
    @discardableResult
    package func advance(_ time: QuotaDuration) -> QuotaInstant {
        let moment = self.microseconds.wrappingAdd(time.microseconds, ordering: .sequentiallyConsistent).newValue
        return QuotaInstant(microseconds: moment)
    }
}
