import WasmnetNet
package import WasmnetQuota

/// The machine's clocks. The ledger's instant is the wall clock at the start plus the time since, so that a step of the wall
/// clock does not affect limits. That time includes the machine's sleep: other nodes' leases end meanwhile, and so must ours.
package struct SystemClock: RelayClock {
    /// Microseconds since the Unix epoch.
    private let wallAtStart: Int64
    private let sinceBootAtStart: Int64

    package init() {
        self.wallAtStart = MachineClock.wall().milliseconds * 1000
        self.sinceBootAtStart = MachineClock.sinceBootNanoseconds()
    }

    package func uptimeNanoseconds() -> Int64 { MachineClock.uptimeNanoseconds() }

    package func now() -> QuotaInstant {
        let sinceStart = MachineClock.sinceBootNanoseconds() - self.sinceBootAtStart
        return QuotaInstant(microseconds: self.wallAtStart + sinceStart / 1000)
    }
}
