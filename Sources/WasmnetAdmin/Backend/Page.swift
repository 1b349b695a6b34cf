/// The requested part of a list.
package struct PageWindow: Sendable, Hashable {
    /// The cursor from the previous page; nil: from the start.
    package var after: String?
    /// At most this many items, 1 to 1,000.
    package var limit: Int

    package init(after: String? = nil, limit: Int = 100) {
        self.after = after
        self.limit = limit
    }
}

/// A part of a list, and where the next begins.
package struct Page<Item: Sendable & Encodable>: Sendable, Encodable {
    package var items: [Item]
    /// The cursor of the next page; nil on the last.
    package var next: String?

    package init(items: [Item], next: String? = nil) {
        self.items = items
        self.next = next
    }

    /// A page of a list sorted by ascending keys; the cursor is the last item's key, so items may be added or removed between two pages.
    package init(of sorted: [Item], window: PageWindow, key: (Item) -> String) {
        let rest = window.after.map { after in sorted.drop { key($0) <= after } } ?? sorted[...]
        self.items = Array(rest.prefix(max(1, window.limit)))
        self.next = rest.count > self.items.count ? self.items.last.map(key) : nil
    }
}

extension Page: Equatable where Item: Equatable {}
