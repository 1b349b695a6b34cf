import HashTreeCollections
import WasmnetNet

/// The lookup tables of a list. All are persistent: copies share what did not change.
struct DenylistTables: Sendable {
    /// By text.
    var entries: TreeDictionary<String, DenylistEntry> = [:]
    var networks = PrefixTable<DenylistEntry>()
    var names = SuffixTable<DenylistEntry>()
    var clientNetworks = PrefixTable<DenylistEntry>()
    var digest = DenylistDigest()

    mutating func put(_ entry: DenylistEntry) {
        if let old = self.entries.updateValue(entry, forKey: entry.text) { self.forget(old) }
        self.digest.add(entry)
        switch entry.subject.kind {
        case .destination(let destination):
            switch destination.subject {
            // Not a subject of a denylist.
            case .everything: break
            case .network(let prefix): self.networks.insert(entry, for: prefix)
            case .name(let name): self.names.insert(entry, for: name)
            case .below(let name): self.names.insert(entry, below: name)
            }
        case .clientNetwork(let prefix): self.clientNetworks.insert(entry, for: prefix)
        // Looked up by its text.
        case .client: break
        }
    }

    mutating func drop(_ text: String) {
        if let old = self.entries.removeValue(forKey: text) { self.forget(old) }
    }

    private mutating func forget(_ entry: DenylistEntry) {
        self.digest.remove(entry)
        switch entry.subject.kind {
        case .destination(let destination):
            switch destination.subject {
            case .everything: break
            case .network(let prefix): self.networks.remove(prefix) { $0.text == entry.text }
            case .name(let name): self.names.remove(name, below: false) { $0.text == entry.text }
            case .below(let name): self.names.remove(name, below: true) { $0.text == entry.text }
            }
        case .clientNetwork(let prefix): self.clientNetworks.remove(prefix)
        case .client: break
        }
    }
}

/// Builds a list in place, piece by piece.
package struct DenylistBuilder: Sendable {
    private var tables: DenylistTables

    package init(_ list: Denylist = .empty) {
        self.tables = list.tables
    }

    package var count: Int { self.tables.entries.count }
    package var digest: DenylistDigest { self.tables.digest }

    /// By the subject's text.
    package subscript(text: String) -> DenylistEntry? { self.tables.entries[text] }

    package mutating func apply(_ record: DenylistRecord) {
        switch record {
        case .put(let entry): self.tables.put(entry)
        case .drop(let text): self.tables.drop(text)
        }
    }

    package func list(generation: Int64, version: Int64) -> Denylist {
        Denylist(self.tables, generation: generation, version: version)
    }
}
