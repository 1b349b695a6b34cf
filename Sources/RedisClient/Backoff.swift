package import NIOCore

/// How long to wait before the next attempt: full jitter, so that clients that lost the same server do not return
/// in step (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
package struct Backoff: Sendable, Equatable {
    /// The longest first wait. Default 50 ms.
    package let base: TimeAmount
    /// The longest of all waits. Default 1 s: a node must reconnect long before its leases end.
    package let cap: TimeAmount
    private var failures = 0

    package init(base: TimeAmount = .milliseconds(50), cap: TimeAmount = .seconds(1)) {
        self.base = max(.nanoseconds(1), base)
        self.cap = max(self.base, cap)
    }

    /// The next wait: uniform between zero and a bound that doubles with every call up to the cap.
    ///
    /// - Parameter fraction: a random number of [0, 1); others are clamped.
    package mutating func next(_ fraction: Double) -> TimeAmount {
        var bound = base.nanoseconds
        for _ in 0..<failures {
            guard bound < cap.nanoseconds / 2 else {
                bound = cap.nanoseconds
                break
            }
            bound *= 2
        }
        failures = min(failures + 1, 63)
        let share = fraction.isFinite ? min(max(fraction, 0), 1) : 1
        return .nanoseconds(Int64(exactly: (Double(bound) * share).rounded(.down)) ?? bound)
    }

    /// Starts over, once a connection has lasted.
    package mutating func reset() {
        failures = 0
    }
}
