package import WasmnetQuota

/// Whether a part of Redis is worth asking: open after three failures in a row, then asked once a second until it answers.
package struct Breaker: Sendable, Hashable {
    package static let failuresToOpen = 3
    package static let probeInterval = QuotaDuration.seconds(1)

    private var failures = 0
    private var nextProbe = QuotaInstant.epoch
    package private(set) var isOpen = false

    package init() {}

    /// - Returns: whether it closed just now.
    package mutating func succeeded() -> Bool {
        let wasOpen = self.isOpen
        self = Breaker()
        return wasOpen
    }

    /// - Returns: whether it opened just now.
    package mutating func failed(at now: QuotaInstant) -> Bool {
        self.failures += 1
        self.nextProbe = now + Self.probeInterval
        guard !self.isOpen, self.failures >= Self.failuresToOpen else { return false }
        self.isOpen = true
        return true
    }

    /// Whether a probe is due; then the next one is a second later.
    package mutating func isProbeDue(at now: QuotaInstant) -> Bool {
        guard self.isOpen, now >= self.nextProbe else { return false }
        self.nextProbe = now + Self.probeInterval
        return true
    }
}
