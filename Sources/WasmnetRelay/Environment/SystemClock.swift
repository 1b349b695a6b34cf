import Glibc
package import WasmnetQuota

/// The machine's clocks. The ledger's instant is the wall clock at the start plus monotonic time since, asleep or not, so that a step of the wall
/// clock opens or shuts no limit.
package struct SystemClock: RelayClock {
    private let wallAtStart: Int64
    private let uptimeAtStart: Int64

    package init() {
        self.wallAtStart = Self.nanoseconds(CLOCK_REALTIME)
        self.uptimeAtStart = Self.nanoseconds(CLOCK_BOOTTIME)
    }

    package func uptimeNanoseconds() -> Int64 { Self.nanoseconds(CLOCK_MONOTONIC) }

    package func now() -> QuotaInstant {
        let sinceStart = Self.nanoseconds(CLOCK_BOOTTIME) - self.uptimeAtStart
        return QuotaInstant(microseconds: (self.wallAtStart + sinceStart) / 1000)
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
