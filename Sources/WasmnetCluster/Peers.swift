package import WasmnetQuota

/// The other nodes according to the registry: those that a roll call waits for. A value without clock or I/O.
///
/// The registry is lost with the rest, or returns in an old state: a node that is no longer in it is still waited for, unless it announced
/// its departure.
package struct Peers: Sendable {
    /// How long after a node was found missing: longer than growth is held. It does not count from when the node was last seen, since this
    /// node may have been cut off itself in between.
    private static let memory = QuotaDuration.seconds(20)

    /// Since when a node has been missing; nil: it was in the last read.
    private var missingSince: [String: QuotaInstant?] = [:]
    package private(set) var readAt = QuotaInstant.epoch

    package init() {}

    package mutating func read(_ ids: [String], now: QuotaInstant) {
        self.readAt = now
        self.missingSince = self.missingSince.mapValues { $0 ?? now }.filter { now - ($0.value ?? now) < Self.memory }
        for id in ids { self.missingSince[id] = .some(nil) }
    }

    /// A node returned all that it held.
    package mutating func left(_ id: String) { self.missingSince.removeValue(forKey: id) }

    package var ids: [String] { self.missingSince.keys.sorted() }
}
