import NIOCore
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// What all parts of a session share: its origin, its phase, and the time. On the session's event loop.
final class SessionCore {
    enum Phase { case live, draining, ended }

    let environment: RelayEnvironment
    let eventLoop: any EventLoop
    let origin: SessionOrigin
    let allowance: any ClientAllowance
    let terms: TokenRestrictions
    private(set) var phase = Phase.live
    /// Monotonic nanoseconds, read once for each batch of events.
    private(set) var now: Int64

    init(
        _ environment: RelayEnvironment, on eventLoop: any EventLoop, _ origin: SessionOrigin,
        _ allowance: any ClientAllowance, _ terms: TokenRestrictions
    ) {
        self.environment = environment
        self.eventLoop = eventLoop
        self.origin = origin
        self.allowance = allowance
        self.terms = terms
        self.now = origin.opened
    }

    /// The policy in force, as it applies to this client. Every check uses this one.
    var policy: Policy { self.environment.policy.applied(to: self.terms) }

    /// Whether a denylist names the client, its address, or its token's subject.
    func isDenied(by denylist: DenylistView) -> Bool {
        denylist.entry(forClient: self.origin.client, at: self.origin.address, subject: self.origin.subject) != nil
    }

    var connectionTimeout: TimeAmount {
        .milliseconds(Int64(self.policy.limits.connectionTimeoutSeconds * 1000))
    }

    /// Until when a message for a socket that ends now may have been sent before its end was known, in monotonic nanoseconds.
    var crossingEnds: Int64 { self.now + self.environment.settings.crossingTime.nanoseconds }

    func readTime() { self.now = self.environment.uptimeNanoseconds() }
    func setTime(_ now: Int64) { self.now = now }
    func drain() { if self.phase == .live { self.phase = .draining } }
    func end() { self.phase = .ended }
}

@available(*, unavailable)
extension SessionCore: Sendable {}

/// Random names of sessions, for logs and `hello`.
enum SessionID {
    static func make() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 36)
        return String(repeating: "0", count: max(0, 13 - digits.count)) + digits
    }
}
