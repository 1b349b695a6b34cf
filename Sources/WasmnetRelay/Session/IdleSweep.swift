import NIOCore
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// Ends sockets without traffic for longer than the client's policy allows. On the session's event loop.
final class IdleSweep {
    private let core: SessionCore
    private let table: SocketTable
    private var task: Scheduled<Void>?

    init(_ core: SessionCore, _ table: SocketTable) {
        self.core = core
        self.table = table
    }

    /// Sweeps from now on by the policy in force, until its end.
    func schedule() {
        self.task?.cancel()
        let limit = self.core.policy.limits.idleTimeoutSeconds
        guard limit > 0 else { return }
        let interval = TimeAmount.milliseconds(Int64(min(30, max(0.05, limit / 4)) * 1000))
        self.task = self.core.eventLoop.assumeIsolated().scheduleTask(in: interval) {
            let oldest = self.core.environment.uptimeNanoseconds() - Int64(limit * 1_000_000_000)
            self.table.endIdle(since: oldest, Refusal(.targetTimeout, "no byte for \(Int(limit)) s"))
            if self.core.phase != .ended { self.schedule() }
        }
    }

    func end() {
        self.task?.cancel()
    }
}

@available(*, unavailable)
extension IdleSweep: Sendable {}
