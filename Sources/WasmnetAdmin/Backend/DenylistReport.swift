/// One entry of the denylist in force.
package struct DenylistEntry: Sendable, Hashable, Codable {
    /// An address, a CIDR, a name, a wildcard or a client, as given.
    package var entry: String
    package var reason: String?
    /// Until it expires; nil: never.
    package var secondsLeft: Double?

    package init(entry: String, reason: String? = nil, secondsLeft: Double? = nil) {
        self.entry = entry
        self.reason = reason
        self.secondsLeft = secondsLeft
    }
}

/// A part of the denylist, and how current the whole is.
package struct DenylistReport: Sendable, Hashable, Encodable {
    package var version: UInt64
    /// Total entries.
    package var size: Int
    /// Since this node last knew that its list was current.
    package var ageSeconds: Double
    package var items: [DenylistEntry]
    /// The cursor of the next page; nil on the last.
    package var next: String?

    package init(version: UInt64, size: Int, ageSeconds: Double, page: Page<DenylistEntry>) {
        self.version = version
        self.size = size
        self.ageSeconds = ageSeconds
        self.items = page.items
        self.next = page.next
    }
}

/// An entry to add.
package struct DenylistAddition: Sendable, Hashable {
    package var entry: String
    package var reason: String?
    /// Nil: forever.
    package var timeToLive: Duration?

    package init(entry: String, reason: String? = nil, timeToLive: Duration? = nil) {
        self.entry = entry
        self.reason = reason
        self.timeToLive = timeToLive
    }
}

/// The result of a change of the denylist.
package struct DenylistChange: Sendable, Hashable, Codable {
    /// The version that includes it.
    package var version: UInt64
    /// Entries added, renewed or removed.
    package var changed: Int

    package init(version: UInt64, changed: Int) {
        self.version = version
        self.changed = changed
    }
}
