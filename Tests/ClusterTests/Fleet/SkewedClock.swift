import WasmnetQuota
import WasmnetRelay

/// The machine's clock, about an hour off.
struct SkewedClock: RelayClock {
    private let clock = SystemClock()
    let offset: QuotaDuration

    func uptimeNanoseconds() -> Int64 { self.clock.uptimeNanoseconds() }
    func now() -> QuotaInstant { self.clock.now() + self.offset }
}
