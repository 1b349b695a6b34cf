import HashTreeCollections
import HeapModule
package import WasmnetNet

/// Which entry expires next.
package struct DenylistExpiries: Sendable {
    private var deadlines = Heap<Deadline>()

    package init() {}

    /// All entries of a list with an expiry.
    package init(_ list: Denylist) {
        self.deadlines = Heap(
            list.entries.compactMap { entry in entry.expiry.map { Deadline(moment: $0, text: entry.text) } })
    }

    /// Records an entry that was added to the list.
    ///
    /// - Parameter list: the list with the entry.
    package mutating func expect(_ entry: DenylistEntry, in list: Denylist) {
        guard let expiry = entry.expiry else { return }
        self.deadlines.insert(Deadline(moment: expiry, text: entry.text))
        // Obsolete deadlines stay until they pass: they must not outnumber the others by far.
        if self.deadlines.count > 2 * list.count + 1024 { self = DenylistExpiries(list) }
    }

    /// When the next entry of a list expires.
    package mutating func next(in list: Denylist) -> UnixTime? {
        while let deadline = self.deadlines.min {
            if list.tables.entries[deadline.text]?.expiry == deadline.moment { return deadline.moment }
            self.deadlines.removeMin()
        }
        return nil
    }

    /// Removes the next expired deadline; its entry may have another expiry by now.
    mutating func popOver(at now: UnixTime) -> (text: String, moment: UnixTime)? {
        guard let deadline = self.deadlines.min, deadline.moment <= now else { return nil }
        self.deadlines.removeMin()
        return (deadline.text, deadline.moment)
    }
}

/// In the order of Redis' sorted set.
private struct Deadline: Comparable, Sendable {
    let moment: UnixTime
    let text: String

    static func < (left: Deadline, right: Deadline) -> Bool {
        (left.moment, left.text) < (right.moment, right.text)
    }
}
