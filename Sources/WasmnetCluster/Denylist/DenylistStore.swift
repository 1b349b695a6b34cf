package import WasmnetPolicy

/// Where the denylist is kept and changed: in Redis for all nodes, or in memory for a single node.
package protocol DenylistStore: Sendable {
    /// Makes changes, in order, in pieces of at most ``DenylistLimits/piece``: each piece atomically, and published to all nodes.
    ///
    /// Every change states the result, so the same ones may be repeated after an error.
    ///
    /// A new list of more than a piece is shown to the nodes once its last piece is written, or another writer has changed it.
    ///
    /// - Parameter replaces: whether the changes form a new list that replaces the old one, and whatever nodes hold if the store has lost
    ///   it. Nodes keep the old one in force until the new one is complete. Without changes it is an empty list: the
    ///   way to clear it on purpose.
    /// - Throws: when the store is out of reach; the error says how many changes were made for certain.
    func write(_ changes: [DenylistChange], replaces: Bool) async throws(DenylistStoreError) -> DenylistReceipt

    /// The present list, whole and at one version. Where there is none: ``Denylist/empty``.
    func read() async throws(DenylistStoreError) -> Denylist
}

extension DenylistStore {
    /// Adds an entry, or changes its expiry and reason.
    package func add(
        _ subject: DenylistSubject, _ expiry: DenylistExpiry = .never, reason: DenylistReason? = nil
    ) async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write([.add(subject, expiry, reason: reason)], replaces: false)
    }

    package func remove(_ subject: DenylistSubject) async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write([.remove(subject)], replaces: false)
    }

    /// Adds the entries of a list file, or replaces the list with them.
    package func load(
        _ entries: [DenylistEntry], replaces: Bool = false
    ) async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write(entries.map(DenylistChange.init(adding:)), replaces: replaces)
    }

    /// Empties the list, for every node.
    package func clear() async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write([], replaces: true)
    }
}

/// Why the store failed.
package struct DenylistStoreError: Error, Sendable, CustomStringConvertible {
    /// How many changes, from the first, were made for certain. The piece that failed may have been made as well.
    package let made: Int
    /// Whether a retry may succeed.
    package let mayPass: Bool
    package let description: String
}

/// Limits of the denylist.
package enum DenylistLimits {
    /// Changes per run of the script: it occupies Redis for some 2 ms.
    package static let piece = 250
    /// Changes that Redis keeps for nodes that were away; a node that was away for longer reads the whole list.
    package static let log = 10_000
    /// Ids of versions that are kept. A node that missed more of them is not known to have held an earlier version.
    package static let ids = 20_000
    /// Ids that a node writes back with its list.
    static let toldIDs = 1000
    /// How long other nodes wait for a node that mends the list, from its last sign of life.
    static let mending = Duration.seconds(10)
    /// Records read from the log at once, and entries from the list.
    package static let page = 1000
    /// How often a node checks whether it missed anything.
    package static let interval = Duration.seconds(5)
}
