import HashTreeCollections
package import WasmnetNet

/// The denylist at one version: an immutable value.
///
/// Versions share everything that did not change: adding one entry to a list of 100,000 costs microseconds,
/// see ``applying(_:generation:version:)``. Lookups probe the policy's tables for networks and names, see ``PrefixTable``.
package struct Denylist: Sendable {
    /// When the list began, by the store that keeps it; a list that replaces it has another. 0: no list was ever written.
    package let generation: Int64
    /// Counts the changes, including those of earlier lists.
    package let version: Int64
    private let storage: Storage

    private final class Storage: Sendable {
        let tables: DenylistTables
        init(_ tables: DenylistTables) { self.tables = tables }
    }

    /// No entries, and not read from a store.
    package static let empty = Denylist(DenylistTables(), generation: 0, version: 0)

    init(_ tables: DenylistTables, generation: Int64, version: Int64) {
        self.storage = Storage(tables)
        self.generation = generation
        self.version = version
    }

    package init(_ entries: some Sequence<DenylistEntry>, generation: Int64 = 0, version: Int64 = 0) {
        var builder = DenylistBuilder()
        for entry in entries { builder.apply(.put(entry)) }
        self = builder.list(generation: generation, version: version)
    }

    var tables: DenylistTables { self.storage.tables }

    /// Entries, including expired ones that were not removed yet.
    package var count: Int { self.tables.entries.count }
    package var isEmpty: Bool { self.tables.entries.isEmpty }
    /// Equal for equal entries, whatever their order; 48 bits.
    package var digest: DenylistDigest { self.tables.digest }

    /// The entry of exactly this subject, expired or not.
    package subscript(subject: DenylistSubject) -> DenylistEntry? { self.tables.entries[subject.text] }

    /// All entries, sorted by their texts.
    package func sorted() -> [DenylistEntry] {
        self.tables.entries.values.sorted { $0.text < $1.text }
    }

    /// All entries, in no order.
    package var entries: some Sequence<DenylistEntry> { self.tables.entries.values }

    /// The list after some changes, in order.
    package func applying(
        _ records: some Sequence<DenylistRecord>, generation: Int64? = nil, version: Int64
    ) -> Denylist {
        var builder = DenylistBuilder(self)
        for record in records { builder.apply(record) }
        return builder.list(generation: generation ?? self.generation, version: version)
    }
}

/// A change of the list as kept in a log: it states the result, so that applying it twice does no harm.
package enum DenylistRecord: Sendable, Hashable {
    case put(DenylistEntry)
    /// By the subject's text.
    case drop(String)
}

// MARK: Lookup

extension Denylist {
    /// The entry that denies an address, the longest network first.
    ///
    /// An address with embedded ones (IPv4-mapped, NAT64, 6to4, Teredo) is denied if one of them is, as by the policy.
    ///
    /// - Parameters:
    ///   - port: nil asks about the address as a whole: only entries for every port count.
    ///   - now: by the clock used for the entries' expiries.
    package func entry(for address: IPAddress, port: UInt16?, at now: UnixTime) -> DenylistEntry? {
        let networks = self.tables.networks
        func holds(_ entry: DenylistEntry) -> Bool { entry.covers(port) && entry.holds(at: now) }
        if let entry = networks.first(for: address, where: holds) { return entry }
        guard !address.isIPv4 else { return nil }
        for inner in address.embedded {
            if let entry = networks.first(for: inner, where: holds) { return entry }
        }
        return nil
    }

    /// The entry that denies a name: the name itself first, then the longest wildcard. Parameters as for addresses.
    package func entry(for name: HostName, port: UInt16?, at now: UnixTime) -> DenylistEntry? {
        func holds(_ entry: DenylistEntry) -> Bool { entry.covers(port) && entry.holds(at: now) }
        return self.tables.names.firstExact(name, where: holds) ?? self.tables.names.firstWildcard(name, where: holds)
    }

    /// The entry that denies a destination by its name, if it has one, or by one of its addresses.
    package func entry(
        for name: HostName?, _ address: IPAddress?, port: UInt16?, at now: UnixTime
    ) -> DenylistEntry? {
        if let name, let entry = self.entry(for: name, port: port, at: now) { return entry }
        return address.flatMap { self.entry(for: $0, port: port, at: now) }
    }

    /// The entry that denies a client, by the text of its id (`a:203.0.113.7`, `a:2001:db8::/64`, `t:subject`).
    package func entry(forClient id: String, at now: UnixTime) -> DenylistEntry? {
        if let entry = self.tables.entries[DenylistSubject.text(ofClient: id)], entry.holds(at: now) { return entry }
        guard !self.tables.clientNetworks.isEmpty, let network = ByteText(id).dropping(prefix: "a:"),
            let address = IPAddress(network.before("/").text)
        else { return nil }
        return self.entry(forClientAt: address, at: now)
    }

    /// The entry that denies clients from this address, whatever their id is.
    package func entry(forClientAt address: IPAddress, at now: UnixTime) -> DenylistEntry? {
        let networks = self.tables.clientNetworks
        if let entry = networks.first(for: address, where: { $0.holds(at: now) }) { return entry }
        guard address.isMapped, let inner = address.embedded.first else { return nil }
        return networks.first(for: inner) { $0.holds(at: now) }
    }
}
