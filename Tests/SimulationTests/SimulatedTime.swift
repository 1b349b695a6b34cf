import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import WasmnetQuota
import WasmnetRelay

/// The loop's clock and the node's, moved together.
final class SimulatedTime: RelayClock {
    private let nanoseconds = NIOLockedValueBox<Int64>(0)

    func uptimeNanoseconds() -> Int64 { self.nanoseconds.withLockedValue { $0 } }
    func now() -> QuotaInstant { QuotaInstant(microseconds: self.uptimeNanoseconds() / 1000) }

    func advance(_ loop: EmbeddedEventLoop, by time: TimeAmount) {
        self.nanoseconds.withLockedValue { $0 += time.nanoseconds }
        loop.advanceTime(by: time)
    }
}
