package import WasmnetNet

/// Changes of the list, as a value: the same as the writing script in Redis, step by step, for a node without Redis and for tests
/// that compare the two.
package struct DenylistReplica: Sendable {
    package private(set) var list = Denylist.empty
    private var expiries = DenylistExpiries()

    /// The most entries of a list.
    package static let maxEntries = 1_000_000
    /// The most expired entries that one write removes.
    package static let maxSwept = 64

    private let most: Int

    package init(most: Int = Self.maxEntries) {
        self.most = most
    }

    /// Makes changes, in order. Expired entries are removed first, so an empty list of changes does only that.
    ///
    /// - Parameters:
    ///   - clears: whether a new list replaces the old one first.
    ///   - now: by the one clock used for all expiries.
    package mutating func write(
        _ changes: [DenylistChange], clears: Bool = false, now: UnixTime
    ) -> (receipt: DenylistReceipt, records: [DenylistRecord]) {
        var page = Page(self.list, most: self.most, now: now)
        if clears {
            page.begin()
            self.expiries = DenylistExpiries()
        }
        self.sweep(&page)
        let outcomes = changes.map { page.make($0) }
        if page.hasChanged { self.list = page.list }
        for case .put(let entry) in page.records { self.expiries.expect(entry, in: self.list) }
        let receipt = DenylistReceipt(
            generation: self.list.generation, version: self.list.version, count: self.list.count,
            digest: self.list.digest, outcomes: outcomes)
        return (receipt, page.records)
    }

    private mutating func sweep(_ page: inout Page) {
        var left = Self.maxSwept
        while left > 0, let (text, moment) = self.expiries.popOver(at: page.now) {
            if page.drop(text, at: moment) { left -= 1 }
        }
    }
}

/// One write.
private struct Page {
    private var builder: DenylistBuilder
    private var generation: Int64
    private var version: Int64
    private let most: Int
    let now: UnixTime
    private(set) var hasChanged = false
    private(set) var records: [DenylistRecord] = []

    init(_ list: Denylist, most: Int, now: UnixTime) {
        self.builder = DenylistBuilder(list)
        self.generation = list.generation
        self.version = list.version
        self.most = most
        self.now = now
    }

    var list: Denylist { self.builder.list(generation: self.generation, version: self.version) }

    mutating func begin() {
        self.builder = DenylistBuilder()
        let (moment, overflows) = self.now.milliseconds.multipliedReportingOverflow(by: 1000)
        if self.generation != 0 { self.version += 1 }
        self.generation = max(overflows ? 1 : moment, self.generation &+ 1)
        self.hasChanged = true
    }

    mutating func make(_ change: DenylistChange) -> DenylistOutcome {
        switch change {
        case .add(let subject, let expiry, let reason):
            let entry = DenylistEntry(subject, expiry: expiry.moment(from: self.now), reason: reason)
            guard entry.holds(at: self.now) else { return .expired }
            let old = self.current(subject.text)
            if old == entry { return .unchanged }
            if old == nil, self.builder.count >= self.most { return .full }
            if self.generation == 0 { self.begin() }
            self.write(.put(entry))
            return old == nil ? .added : .updated
        case .remove(let subject):
            guard self.current(subject.text) != nil else { return .absent }
            self.write(.drop(subject.text))
            return .removed
        }
    }

    /// Removes an entry with this expiry.
    mutating func drop(_ text: String, at moment: UnixTime) -> Bool {
        guard self.builder[text]?.expiry == moment else { return false }
        self.write(.drop(text))
        return true
    }

    /// The entry of this text; an expired one is removed first.
    private mutating func current(_ text: String) -> DenylistEntry? {
        guard let entry = self.builder[text] else { return nil }
        if entry.holds(at: self.now) { return entry }
        self.write(.drop(text))
        return nil
    }

    private mutating func write(_ record: DenylistRecord) {
        self.builder.apply(record)
        self.records.append(record)
        self.version += 1
        self.hasChanged = true
    }
}
