package import WasmnetPolicy

/// Where the denylist is kept and changed: in Redis for all nodes, or in the process of the only one.
package protocol DenylistStore: Sendable {
    /// Makes changes, in order, in pieces of at most ``DenylistLimits/piece``: each piece as a whole, and told to all nodes.
    ///
    /// Every change says what there is afterwards, so the same ones may be made again after an error.
    ///
    /// A list that begins with more than a piece is shown to the nodes once its last piece is made, or somebody else has changed it.
    ///
    /// - Parameter replaces: whether they make a new list that takes the place of the old, and of whatever nodes hold where there is none
    ///   in the store any more. Nodes keep the old one in force until the new one is complete. Without changes it is an empty list: the
    ///   way to clear it on purpose.
    /// - Throws: when the store is out of reach; the error says how many changes were made for certain.
    func write(_ changes: [DenylistChange], replaces: Bool) async throws(DenylistStoreError) -> DenylistReceipt

    /// The list as it is now, whole and at one version. Where there is none: ``Denylist/empty``.
    func read() async throws(DenylistStoreError) -> Denylist
}

extension DenylistStore {
    /// Adds one entry, or gives it another expiry and reason.
    package func add(
        _ subject: DenylistSubject, _ expiry: DenylistExpiry = .never, reason: DenylistReason? = nil
    ) async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write([.add(subject, expiry, reason: reason)], replaces: false)
    }

    package func remove(_ subject: DenylistSubject) async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write([.remove(subject)], replaces: false)
    }

    /// Adds the entries of a list file to what is there, or makes them the list.
    package func load(
        _ entries: [DenylistEntry], replaces: Bool = false
    ) async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write(entries.map(DenylistChange.init(adding:)), replaces: replaces)
    }

    /// Makes the list empty, for every node.
    package func clear() async throws(DenylistStoreError) -> DenylistReceipt {
        try await self.write([], replaces: true)
    }
}

/// Why the store did not do as asked.
package struct DenylistStoreError: Error, Sendable, CustomStringConvertible {
    /// How many changes, from the first, were made for certain. The piece that failed may have been made as well.
    package let made: Int
    /// Whether it may be over by itself.
    package let mayPass: Bool
    package let description: String
}

/// What the denylist may cost.
package enum DenylistLimits {
    /// Changes that one run of the script makes: it keeps Redis for some 2 ms.
    package static let piece = 250
    /// Changes that Redis keeps for nodes that were away; who was away for longer reads the whole list.
    package static let log = 10_000
    /// Ids of versions that are kept. Who was away for more of them is not known to have held an earlier version.
    package static let ids = 20_000
    /// Ids that a node tells with its list.
    static let toldIDs = 1000
    /// For how long a node is left alone that mends the list, from its last sign.
    static let mending = Duration.seconds(10)
    /// Records read from the log at once, and entries from the list.
    package static let page = 1000
    /// How often a node looks whether it has missed anything.
    package static let interval = Duration.seconds(5)
}
