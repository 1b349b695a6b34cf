package import WasmnetQuota

/// The other nodes as the registry told of them: those that a roll call waits for. A value without clock or I/O.
///
/// The registry is lost with the rest, or comes back old: a node that is not in it any more is waited for all the same, unless it said that
/// it goes.
package struct Peers: Sendable {
    /// For so long after a node was seen: the time between two reads, and longer than growth is held.
    private static let memory = QuotaDuration.seconds(25)

    private var lastSeen: [String: QuotaInstant] = [:]
    package private(set) var readAt = QuotaInstant.epoch

    package init() {}

    package mutating func read(_ ids: [String], now: QuotaInstant) {
        self.lastSeen = self.lastSeen.filter { now - $0.value < Self.memory }
        self.readAt = now
        for id in ids { self.lastSeen[id] = now }
    }

    /// A node gave back all that it held.
    package mutating func left(_ id: String) { self.lastSeen[id] = nil }

    package var ids: [String] { self.lastSeen.keys.sorted() }
}
