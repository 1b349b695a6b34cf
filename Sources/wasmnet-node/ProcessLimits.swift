import CNodeSystem
import Glibc

/// Process settings needed to serve thousands of clients.
enum ProcessLimits {
    static func prepare() {
        // As many descriptors as the system allows: one a WebSocket, one a socket.
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        // Reads allocate and free 64 KiB all the time: keep glibc from returning each to the system and faulting it in again.
        mallopt(M_MMAP_THRESHOLD, 1 << 20)
        mallopt(M_TRIM_THRESHOLD, 4 << 20)
        // A write to a closed socket must be an error value, not a signal.
        signal(SIGPIPE, SIG_IGN)
    }
}
