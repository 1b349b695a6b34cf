/// What a token adds to the policy in force for the client that holds it. It can only take away reach, never add any.
package struct ClientTerms: Sendable {
    /// Which of the policy's tiers gives the limits; nil, and a tier that the policy no longer has, mean the limits of everyone.
    package var tier: String?
    let narrowing: Narrowing?

    /// - Parameter allow: the only destinations; nil means all that the policy allows, and no entry means none.
    package init(tier: String? = nil, allow: [PolicyEntry]? = nil) {
        self.tier = tier
        self.narrowing = allow.map(Narrowing.init)
    }
}

/// The only destinations of one client: each gate asks it after the policy itself has allowed.
final class Narrowing: Sendable {
    private let list: EntryList

    init(_ entries: [PolicyEntry]) {
        self.list = EntryList(entries)
    }

    /// Whether a destination is one of them, as it is written; without a port, whether it is on some port.
    func covers(_ address: IPAddress, port: UInt16?, name: HostName?) -> Bool {
        self.covers(address) { $0.covers(port, wholly: false) } || name.map { self.names($0, port) } == true
    }

    /// Whether a name can lead to one of them, by itself or by the addresses that it may turn out to have.
    func mayLead(_ name: HostName, port: UInt16?) -> Bool {
        self.names(name, port) || self.list.everything.contains { $0.covers(port, wholly: false) }
            || self.list.networkEntries.contains { $0.covers(port, wholly: false) }
    }

    /// Whether a local address and port may be bound: both are written out like a destination. Port 0 stands for all of them.
    func coversBinding(_ address: IPAddress, port: UInt16) -> Bool {
        let port = port == 0 ? nil : port
        return self.covers(address) { $0.covers(port, wholly: true) }
    }

    private func covers(_ address: IPAddress, _ predicate: (PolicyEntry) -> Bool) -> Bool {
        self.list.everything.contains(where: predicate)
            || self.list.networks.first(for: address, where: predicate) != nil
    }

    private func names(_ name: HostName, _ port: UInt16?) -> Bool {
        self.list.names.firstExact(name) { $0.covers(port, wholly: false) } != nil
            || self.list.names.firstWildcard(name) { $0.covers(port, wholly: false) } != nil
    }
}
