import Glibc
package import WasmnetQuota

/// The machine's clocks. The ledger's instant is the wall clock at the start plus the time since, so that a step of the wall
/// clock opens or shuts no limit. That time goes on while the machine sleeps: others' leases end meanwhile, and so must ours.
package struct SystemClock: RelayClock {
    private let wallAtStart: Int64
    private let sinceBootAtStart: Int64

    package init() {
        self.wallAtStart = Self.nanoseconds(CLOCK_REALTIME)
        self.sinceBootAtStart = Self.nanoseconds(CLOCK_BOOTTIME)
    }

    package func uptimeNanoseconds() -> Int64 { Self.nanoseconds(CLOCK_MONOTONIC) }

    package func now() -> QuotaInstant {
        let sinceStart = Self.nanoseconds(CLOCK_BOOTTIME) - self.sinceBootAtStart
        return QuotaInstant(microseconds: (self.wallAtStart + sinceStart) / 1000)
    }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
