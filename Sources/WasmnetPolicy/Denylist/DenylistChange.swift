package import WasmnetNet

/// A change of the list by an operator.
package enum DenylistChange: Sendable, Hashable {
    case add(DenylistSubject, DenylistExpiry = .never, reason: DenylistReason? = nil)
    case remove(DenylistSubject)

    package init(adding entry: DenylistEntry) {
        self = .add(entry.subject, entry.expiry.map { .at($0) } ?? .never, reason: entry.reason)
    }
}

/// How long an entry is valid.
package enum DenylistExpiry: Sendable, Hashable {
    case never
    /// This many milliseconds after the store writes it; values below 1 are expired at once.
    case after(milliseconds: Int64)
    case at(UnixTime)

    /// The moment, clamped to what the store and a list file can write: from 1 ms after the epoch to the year 9999.
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

/// The outcome of a change. The numbers are those of the script that writes.
package enum DenylistOutcome: Int64, Sendable, Hashable, CaseIterable {
    /// It did not exist.
    case added = 1
    /// It existed with another expiry or reason.
    case updated = 2
    /// It existed exactly like this; nothing was written.
    case unchanged = 3
    case removed = 4
    /// It did not exist, so nothing was removed.
    case absent = 5
    /// It expired before it was written: it is not on the list.
    case expired = 6
    /// The list is full.
    case full = 7
}

/// The result of a write.
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
