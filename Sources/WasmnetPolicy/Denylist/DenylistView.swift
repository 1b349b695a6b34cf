package import WasmnetNet
package import WasmnetQuota

/// The denylist at one moment, as used by a policy's decisions.
package struct DenylistView: Sendable {
    package let list: Denylist
    /// By the clock used for the entries' expiries.
    package let now: UnixTime

    package init(_ list: Denylist, at now: UnixTime) {
        self.list = list
        self.now = now
    }

    /// The entry that denies a client, by the text of its id or by the address it connects from.
    package func entry(forClient id: String, at address: IPAddress?) -> DenylistEntry? {
        guard !self.list.isEmpty else { return nil }
        return self.list.entry(forClient: id, at: self.now)
            ?? address.flatMap { self.list.entry(forClientAt: $0, at: self.now) }
    }

    /// The entry that denies a destination, by its name or by its address.
    package func entry(for name: HostName?, _ address: IPAddress?, port: UInt16?) -> DenylistEntry? {
        self.list.isEmpty ? nil : self.list.entry(for: name, address, port: port, at: self.now)
    }
}

extension DenylistView {
    /// The entry that denies a client by any of its identities: the client charged, its address (and networks), its token's subject.
    package func entry(forClient client: ClientID, at address: IPAddress?, subject: ClientID?) -> DenylistEntry? {
        // An address is looked up as such; without one a client is `a:local`.
        var ids = address == nil ? [client, ClientID(peer: nil)] : [client]
        if let subject, subject != client { ids.append(subject) }
        for id in ids {
            if let entry = self.entry(forClient: id.text, at: address) { return entry }
        }
        return nil
    }
}
