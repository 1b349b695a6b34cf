import WasmnetPolicy

/// The ids of the versions that a list has passed through: Redis' list is an earlier version of it if its id is known here.
struct DenylistLineage: Sendable {
    /// Of the version in force, or of the last one before it that had an id; empty: none had.
    private(set) var id = ""
    private var known: Set<String> = []
    /// The same, in order of arrival.
    private var order: [String] = []
    private let most: Int

    init(most: Int = DenylistLimits.ids) {
        self.most = most
    }

    /// - Returns: whether the list has passed through this version, as far as is known.
    func knows(_ id: String) -> Bool { self.known.contains(id) }

    /// The newest, oldest first.
    var latest: ArraySlice<String> { self.order.suffix(DenylistLimits.toldIDs) }

    /// - Parameter ids: oldest first.
    mutating func remember(_ ids: some Sequence<String>) {
        for id in ids where !id.isEmpty && self.known.insert(id).inserted { self.order.append(id) }
        guard self.order.count > 2 * self.most else { return }
        for id in self.order.prefix(self.order.count - self.most) { self.known.remove(id) }
        self.order.removeFirst(self.order.count - self.most)
    }

    /// The list in force now has this version.
    mutating func pass(_ id: String) {
        guard !id.isEmpty else { return }
        self.remember([id])
        self.id = id
    }

    /// An id as stored in Redis; empty for anything not written by a node.
    static func id(_ text: String) -> String { text.utf8.count <= 64 && text != "-" ? text : "" }

    /// The random part of an id.
    static func random() -> String { String(UInt64.random(in: 0 ... .max), radix: 36) }
}

/// What a node does if Redis does not know its list.
package enum DenylistMend: String, Sendable, CaseIterable {
    /// Redis has an earlier version, or none: the list is written over it.
    case writtenBack = "written_back"
    /// Redis has one of another origin: its entries and those in force are merged.
    case joined
    /// Redis has one that replaces all earlier ones.
    case replaced

    /// - Parameter poll: what Redis has; nil: nothing.
    /// - Returns: nil: wait for a list that replaces this one and is not complete.
    init?(of list: Denylist, _ lineage: DenylistLineage, over poll: DenylistPoll?) {
        guard let poll, !lineage.knows(poll.id) else {
            self = .writtenBack
            return
        }
        // One that began before the one in force comes from a snapshot.
        guard poll.replaces, poll.generation > list.generation else {
            self = .joined
            return
        }
        if poll.isBuilding { return nil }
        self = .replaced
    }
}
