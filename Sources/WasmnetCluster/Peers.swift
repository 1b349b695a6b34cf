package import WasmnetQuota

/// The other nodes as the registry told of them: those that a roll call waits for. A value without clock or I/O.
///
/// The registry is lost with the rest, or comes back old: a node that is not in it any more is waited for all the same, unless it said that
/// it goes.
package struct Peers: Sendable {
    /// For so long after a node was found missing: longer than growth is held. It does not count from when the node was seen last, for this
    /// one may have been cut off itself since.
    private static let memory = QuotaDuration.seconds(20)

    /// Since when a node is missing; nil: it was there when the registry was read last.
    private var missingSince: [String: QuotaInstant?] = [:]
    package private(set) var readAt = QuotaInstant.epoch

    package init() {}

    package mutating func read(_ ids: [String], now: QuotaInstant) {
        self.readAt = now
        self.missingSince = self.missingSince.mapValues { $0 ?? now }.filter { now - ($0.value ?? now) < Self.memory }
        for id in ids { self.missingSince[id] = .some(nil) }
    }

    /// A node gave back all that it held.
    package mutating func left(_ id: String) { self.missingSince.removeValue(forKey: id) }

    package var ids: [String] { self.missingSince.keys.sorted() }
}
