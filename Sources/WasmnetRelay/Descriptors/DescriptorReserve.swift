import WasmnetNet
import Glibc
import Logging
import NIOCore
import Synchronization
import WasmnetQuota

/// The descriptors that clients may not use: the node's own listeners, Redis, the admin server, lookups, the log and the runtime need some,
/// and a process without any soon fails.
///
/// Counts the clients' connections and sockets exactly; and checks with the system now and then for those that are not counted.
package final class DescriptorReserve: Sendable {
    private let limit: Int
    private let kept: Int
    private let probe: Int32
    private let used = Atomic<Int>(0)
    private let nextWarning = Guarded(Int64(0))

    /// Uses the current soft limit: an eighth of it is reserved, 96 to 384, and never more than half.
    package init() {
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        self.limit = isKnown ? Int(clamping: limit.rlim_cur) : .max
        self.kept = min(max(self.limit / 8, 96), 384, self.limit / 2)
        self.probe = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    deinit { if self.probe >= 0 { Glibc.close(self.probe) } }

    /// How many clients may use.
    var forClients: Int { self.limit - self.kept }

    /// Whether clients use all they may.
    package var isShort: Bool { !self.hasOne(beside: self.used.load(ordering: .relaxed)) }

    private func hasOne(beside used: Int) -> Bool {
        used < self.limit - self.kept && self.lowestFree < self.limit - self.kept / 2
    }

    /// The most connections to accept at once: they have descriptors before they can be refused.
    package var acceptBatch: Int { min(32, max(1, self.kept / 4)) }

    /// Takes one for a client. False if none is left.
    func take() -> Bool {
        let isLeft = self.hasOne(beside: self.used.wrappingAdd(1, ordering: .relaxed).oldValue)
        if !isLeft { self.giveBack() }
        return isLeft
    }

    func giveBack() { self.used.wrappingSubtract(1, ordering: .relaxed) }

    /// The system returns the lowest free number. Costs two calls.
    private var lowestFree: Int {
        let lowest = fcntl(self.probe, F_DUPFD_CLOEXEC, 0)
        guard lowest >= 0 else { return .max }
        Glibc.close(lowest)
        return Int(lowest)
    }

    /// Logs this, once a minute at most.
    ///
    /// - Parameter now: monotonic nanoseconds.
    func warn(_ logger: Logger, now: Int64) {
        let isDue = self.nextWarning.withLock { next in
            guard now >= next else { return false }
            next = now + 60_000_000_000
            return true
        }
        guard isDue else { return }
        logger.warning(
            "file descriptors run out: new connections and sockets are refused; raise the limit or lower what clients may open",
            metadata: ["limit": "\(self.limit)", "kept": "\(self.kept)"])
    }
}

/// A socket's slot together with its descriptor: both are released at its end.
final class DescriptorSlot: SlotOwner {
    private let slot: QuotaSlot?
    private let reserve: DescriptorReserve

    init(_ slot: QuotaSlot?, _ reserve: DescriptorReserve) {
        self.slot = slot
        self.reserve = reserve
    }

    func slotReleased(_ kind: SlotKind) {
        self.slot?.release()
        self.reserve.giveBack()
    }
}
