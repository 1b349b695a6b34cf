import WasmnetQuota
import WasmnetRelay

/// The machine's clock, an hour or so off.
struct SkewedClock: RelayClock {
    private let clock = SystemClock()
    let offset: QuotaDuration

    func uptimeNanoseconds() -> Int64 { self.clock.uptimeNanoseconds() }
    func now() -> QuotaInstant { self.clock.now() + self.offset }
}
