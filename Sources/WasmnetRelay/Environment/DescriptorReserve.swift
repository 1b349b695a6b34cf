import Glibc
package import Logging
import NIOConcurrencyHelpers
import NIOCore

/// The descriptors that clients may not use up: Redis, the admin server, look-ups, the log and the runtime itself need some, and a process
/// without any is soon dead.
package final class DescriptorReserve: Sendable {
    /// Descriptors kept back, where the limit is high enough.
    package static let largest: UInt64 = 192

    private let limit: UInt64
    private let reserve: UInt64
    private let probe: Int32
    private let nextWarning = NIOLockedValueBox(NIODeadline.uptimeNanoseconds(0))

    /// Goes by the soft limit of now: an eighth of it is kept back, at most ``largest``.
    package init() {
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        self.limit = isKnown ? UInt64(limit.rlim_cur) : .max
        self.reserve = min(self.limit / 8, Self.largest)
        self.probe = Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    deinit { if self.probe >= 0 { Glibc.close(self.probe) } }

    /// Whether only the reserve is left. The system gives the lowest number that is free: when that is within the reserve, all below are in
    /// use. Costs two system calls.
    package var isTouched: Bool {
        guard self.probe >= 0 else { return true }
        let lowest = fcntl(self.probe, F_DUPFD_CLOEXEC, 0)
        guard lowest >= 0 else { return true }
        Glibc.close(lowest)
        return UInt64(lowest) >= self.limit - self.reserve
    }

    /// Says so in the log, once a minute at most.
    package func warn(_ logger: Logger) {
        let now = NIODeadline.now()
        let isDue = self.nextWarning.withLockedValue { next in
            guard now >= next else { return false }
            next = now + .minutes(1)
            return true
        }
        guard isDue else { return }
        logger.warning(
            "file descriptors run out: new connections and sockets are refused; raise the limit or lower what clients may open",
            metadata: ["limit": "\(self.limit)", "reserve": "\(self.reserve)"])
    }
}
