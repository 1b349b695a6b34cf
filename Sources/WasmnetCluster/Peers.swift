package import WasmnetQuota

/// The other nodes as the registry told of them: those that a roll call waits for. A value without clock or I/O.
package struct Peers: Sendable {
    /// Nodes of a registry that was lost are waited for this long: longer than growth is held.
    private static let memory = QuotaDuration.seconds(20)

    private var lastSeen: [String: QuotaInstant] = [:]
    /// Until then nobody is forgotten.
    private var keepsUntil = QuotaInstant.epoch
    package private(set) var readAt = QuotaInstant.epoch

    package init() {}

    /// - Parameter isWhole: whether the registry knew this node already; else it lost others as well, and those known before stay.
    package mutating func read(_ ids: [String], isWhole: Bool, now: QuotaInstant) {
        if !isWhole { self.dataWasLost(now: now) }
        if now >= self.keepsUntil { self.lastSeen = [:] }
        self.lastSeen = self.lastSeen.filter { now - $0.value < Self.memory }
        self.readAt = now
        for id in ids { self.lastSeen[id] = now }
    }

    /// Who cannot tell of itself at present is not in a registry that begins anew, or that is of an earlier time, and may hold slots.
    package mutating func dataWasLost(now: QuotaInstant) { self.keepsUntil = now + Self.memory }

    package var ids: [String] { self.lastSeen.keys.sorted() }
}
