package import WasmnetNet

/// What an operator wants of the list.
package enum DenylistChange: Sendable, Hashable {
    case add(DenylistSubject, DenylistExpiry = .never, reason: DenylistReason? = nil)
    case remove(DenylistSubject)

    package init(adding entry: DenylistEntry) {
        self = .add(entry.subject, entry.expiry.map { .at($0) } ?? .never, reason: entry.reason)
    }
}

/// How long an entry holds.
package enum DenylistExpiry: Sendable, Hashable {
    case never
    /// So many milliseconds from when the store writes it; what is below 1 is over at once.
    case after(milliseconds: Int64)
    case at(UnixTime)

    /// The moment, held to what the store and a list file can write: from 1 ms after the epoch to the year 9999.
    package func moment(from now: UnixTime) -> UnixTime? {
        let moment: UnixTime
        switch self {
        case .never: return nil
        case .after(let milliseconds): moment = now.adding(milliseconds: max(milliseconds, 0))
        case .at(let time): moment = time
        }
        return min(max(moment, UnixTime(milliseconds: 1)), UnixTime.last)
    }
}

/// What became of a change. The numbers are those of the script that writes.
package enum DenylistOutcome: Int64, Sendable, Hashable, CaseIterable {
    /// It was not there.
    case added = 1
    /// It was there with another expiry or reason.
    case updated = 2
    /// It was there just so; nothing was written.
    case unchanged = 3
    case removed = 4
    /// It was not there to be removed.
    case absent = 5
    /// Its time was over before it was written: it is not on the list.
    case expired = 6
    /// The list has as many entries as it may have.
    case full = 7
}

/// What a store did.
package struct DenylistReceipt: Sendable, Hashable {
    package var generation: Int64
    package var version: Int64
    /// Entries after it.
    package var count: Int
    package var digest: DenylistDigest
    /// One for each change, in order.
    package var outcomes: [DenylistOutcome]

    package init(
        generation: Int64, version: Int64, count: Int, digest: DenylistDigest, outcomes: [DenylistOutcome]
    ) {
        self.generation = generation
        self.version = version
        self.count = count
        self.digest = digest
        self.outcomes = outcomes
    }
}
