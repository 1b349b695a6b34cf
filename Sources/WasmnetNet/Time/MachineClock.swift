import Glibc

/// The machine's clocks. Code that makes decisions is passed a clock, so that a test can control it; everything else reads time here.
package enum MachineClock {
    /// CLOCK_REALTIME, which an operator or NTP may set.
    package static func wall() -> UnixTime {
        UnixTime(milliseconds: self.nanoseconds(CLOCK_REALTIME) / 1_000_000)
    }

    /// CLOCK_MONOTONIC, in nanoseconds: never set, and stopped while the machine sleeps.
    package static func uptimeNanoseconds() -> Int64 { self.nanoseconds(CLOCK_MONOTONIC) }

    /// CLOCK_BOOTTIME, in nanoseconds: never set, and running while the machine sleeps.
    package static func sinceBootNanoseconds() -> Int64 { self.nanoseconds(CLOCK_BOOTTIME) }

    private static func nanoseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
