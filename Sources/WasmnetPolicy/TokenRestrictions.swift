import WasmnetNet

/// What a token adds to the policy in force for its client. It can only restrict destinations, never add any.
package struct TokenRestrictions: Sendable {
    /// The policy's tier whose limits apply; nil, and a tier that the policy no longer has, mean the default limits.
    package var tier: String?
    let tokenDestinations: TokenDestinations?

    /// - Parameter allow: the only destinations; nil means all that the policy allows, and an empty list means none.
    package init(tier: String? = nil, allow: [PolicyEntry]? = nil) {
        self.tier = tier
        self.tokenDestinations = allow.map(TokenDestinations.init)
    }
}

/// The only destinations of one client: checked after the policy itself has allowed.
final class TokenDestinations: Sendable {
    private let lists: EntryLists

    init(_ entries: [PolicyEntry]) {
        self.lists = EntryLists(entries)
    }

    /// Whether a destination is one of them, as written; without a port, whether it is on some port.
    func covers(_ address: IPAddress, port: UInt16?, name: HostName?, transport: TransportProtocol) -> Bool {
        let list = self.lists[transport]
        return Self.covers(list, address) { $0.covers(port, wholly: false) }
            || name.map { Self.names(list, $0, port) } == true
    }

    /// Whether a name can lead to one of them, by itself or by the addresses that it may turn out to have.
    func mayLead(_ name: HostName, port: UInt16?, transport: TransportProtocol) -> Bool {
        let list = self.lists[transport]
        return Self.names(list, name, port) || list.everything.contains { $0.covers(port, wholly: false) }
            || list.networkEntries.contains { $0.covers(port, wholly: false) }
    }

    /// Whether a local address and port may be bound: both are written like a destination. Port 0 stands for all of them.
    func coversBinding(_ address: IPAddress, port: UInt16, transport: TransportProtocol) -> Bool {
        let port = port == 0 ? nil : port
        return Self.covers(self.lists[transport], address) { $0.covers(port, wholly: true) }
    }

    private static func covers(
        _ list: EntryList, _ address: IPAddress, _ predicate: (PolicyEntry) -> Bool
    ) -> Bool {
        list.everything.contains(where: predicate) || list.networks.first(for: address, where: predicate) != nil
    }

    private static func names(_ list: EntryList, _ name: HostName, _ port: UInt16?) -> Bool {
        list.names.firstExact(name) { $0.covers(port, wholly: false) } != nil
            || list.names.firstWildcard(name) { $0.covers(port, wholly: false) } != nil
    }
}
