extension Policy {
    // MARK: Names

    /// Step 1, before DNS: what the name alone decides; everything else is left to its addresses.
    ///
    /// A name that no address can make allowed is denied here: whether such a name exists is not for the client to learn.
    package func decide(name: HostName, port: UInt16, transport: TransportProtocol) -> PolicyDecision {
        self.decide(name, port)
    }

    /// Whether a name may be looked up at all: it is not where no port of it could be reached.
    package func decideLookup(name: HostName) -> PolicyDecision {
        self.decide(name, nil)
    }

    private func decide(_ name: HostName, _ port: UInt16?) -> PolicyDecision {
        let subject = port.map { "\(name.text):\($0)" } ?? name.text
        if let entry = self.denylist?.entry(for: name, nil, port: port) {
            return PolicyDecision(.denylisted(entry), subject)
        }
        if let port, self.place.isProtected(name, port) { return PolicyDecision(.protectedEndpoint, subject) }
        if let narrowing = self.terms?.narrowing, !narrowing.mayLead(name, port: port) {
            return PolicyDecision(.beyondToken, subject)
        }
        guard !self.storage.isUnrestricted else { return PolicyDecision(.noPolicy, subject) }
        return PolicyDecision(self.denial(name, port) ?? .undecided, subject)
    }

    private func denial(_ name: HostName, _ port: UInt16?) -> PolicyDecision.Rule? {
        let (deny, allow) = (self.storage.deny, self.storage.allow)
        if let entry = self.nameEntry(deny, name, port) ?? self.portEntry(port) { return .deniedBy(entry) }
        guard !allow.hasName(name, port), !allow.hasNetwork(port) else { return nil }
        if deny.everything.contains(where: { $0.ports == nil }) { return .denyByDefault }
        return allow.everything.contains { $0.covers(port, wholly: false) } ? nil : .notInAllow
    }

    /// Whether the name may be asked of DNS. One label alone has a meaning only where the node is, as in compose: it is asked where the
    /// operator wrote exactly this name.
    package func mayAskDNS(for name: HostName) -> Bool {
        if self.storage.isUnrestricted || name.text.utf8.contains(UInt8(ascii: ".")) { return true }
        return self.storage.allow.names.firstExact(name) { _ in true } != nil
    }

    // MARK: Addresses

    /// Steps 2 to 6, for each address a name has, or a literal.
    ///
    /// - Parameter name: the name it was resolved from, or is tied to.
    package func decide(
        address: IPAddress, port: UInt16, name: HostName?, transport: TransportProtocol
    ) -> PolicyDecision {
        self.decide(address, port, name)
    }

    /// Whether a client could reach the address on any port at all.
    package func decideResolved(address: IPAddress, name: HostName?) -> PolicyDecision {
        self.decide(address, nil, name)
    }

    private func decide(_ address: IPAddress, _ port: UInt16?, _ name: HostName?) -> PolicyDecision {
        let reading = AddressReading(address, by: self.place.translators)
        let subject = Self.subject(reading.address, port)
        if let entry = self.denylisted(reading, port, name) { return PolicyDecision(.denylisted(entry), subject) }
        let decision = self.decideForAll(reading, port, name)
        guard decision.allowed, let narrowing = self.terms?.narrowing,
            !narrowing.covers(reading.address, port: port, name: name)
        else { return decision }
        return PolicyDecision(.beyondToken, subject)
    }

    private func denylisted(_ reading: AddressReading, _ port: UInt16?, _ name: HostName?) -> DenylistEntry? {
        guard let denylist = self.denylist else { return nil }
        if let entry = denylist.entry(for: name, reading.address, port: port) { return entry }
        for inner in reading.inner {
            if let entry = denylist.entry(for: nil, inner, port: port) { return entry }
        }
        return nil
    }

    private func decideForAll(_ reading: AddressReading, _ port: UInt16?, _ name: HostName?) -> PolicyDecision {
        let deny = self.storage.deny
        let address = reading.address
        func decision(_ rule: PolicyDecision.Rule) -> PolicyDecision {
            PolicyDecision(rule, Self.subject(address, port))
        }
        if let port, self.place.isProtected(reading, port) { return decision(.protectedEndpoint) }
        guard !self.storage.isUnrestricted else { return decision(.noPolicy) }
        if let name, let entry = self.nameEntry(deny, name, port) { return decision(.deniedBy(entry)) }
        for form in reading.all {
            let entry = deny.networks.first(for: form) { $0.covers(port, wholly: true) }
            if let entry { return decision(.deniedBy(entry)) }
        }
        if let entry = self.portEntry(port) { return decision(.deniedBy(entry)) }
        var first: PolicyDecision.Rule?
        for form in reading.judged {
            let rule = self.allowance(form, reading, port, name)
            guard PolicyDecision(rule, "").allowed else {
                let inside = form == address ? "" : " (\(form) inside)"
                return PolicyDecision(rule, Self.subject(address, port) + inside)
            }
            first = first ?? rule
        }
        return decision(first ?? .notInAllow)
    }

    /// What the guard and `allow` say of one form of an address, which no entry of `deny` names.
    private func allowance(
        _ form: IPAddress, _ reading: AddressReading, _ port: UInt16?, _ name: HostName?
    ) -> PolicyDecision.Rule {
        let allow = self.storage.allow
        let exactName = name.flatMap { allow.names.firstExact($0) { $0.covers(port, wholly: false) } }
        let network = allow.networks.first(for: form) { $0.covers(port, wholly: false) }
        if exactName == nil {
            if let service = CloudMetadata.name(of: form), network?.isSingleAddress != true {
                return .builtInGuard(service)
            }
            if network == nil, let range = SpecialRanges.name(of: form) { return .builtInGuard(range) }
        }
        // A network that is translated to IPv4 may be allowed as it is written; its guard is that of the address inside.
        let outer =
            reading.isTranslated
            ? allow.networks.first(for: reading.address) { $0.covers(port, wholly: false) } : nil
        if let entry = exactName ?? network ?? outer { return .allowedBy(entry) }
        let wildcard = name.flatMap { allow.names.firstWildcard($0) { $0.covers(port, wholly: false) } }
        if let entry = wildcard { return .allowedBy(entry) }
        if self.storage.deny.everything.contains(where: { $0.ports == nil }) { return .denyByDefault }
        if let entry = allow.everything.first(where: { $0.covers(port, wholly: false) }) { return .allowedBy(entry) }
        return .notInAllow
    }

    /// Whether a connection may come in from an address: the denylist alone speaks about those.
    package func decideAccepted(from address: IPAddress) -> PolicyDecision {
        let reading = AddressReading(address, by: self.place.translators)
        let entry = self.denylisted(reading, nil, nil)
        return PolicyDecision(entry.map { .denylisted($0) } ?? .acceptable, "\(address)")
    }

    private static func subject(_ address: IPAddress, _ port: UInt16?) -> String {
        guard let port else { return "\(address)" }
        return address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }

    private func nameEntry(_ list: EntryList, _ name: HostName, _ port: UInt16?) -> PolicyEntry? {
        list.names.firstExact(name) { $0.covers(port, wholly: true) }
            ?? list.names.firstWildcard(name) { $0.covers(port, wholly: true) }
    }

    /// The entry that denies a port of every host, such as `*:25`.
    private func portEntry(_ port: UInt16?) -> PolicyEntry? {
        self.storage.deny.everything.first { $0.ports != nil && $0.covers(port, wholly: true) }
    }

    // MARK: Binding

    /// Whether a client may bind an address and port; port 0 asks for any port that may be bound.
    package func decideBind(address: IPAddress, port: UInt16) -> PolicyDecision {
        let address = address.unmapped
        let subject = Self.subject(address, port)
        // On no address at all: a name such as localhost may lead to another one than the node's own.
        if self.place.isOwnPort(port) { return PolicyDecision(.protectedEndpoint, subject) }
        if let narrowing = self.terms?.narrowing, !narrowing.coversBinding(address, port: port) {
            return PolicyDecision(.beyondToken, subject)
        }
        guard !self.storage.isUnrestricted else { return PolicyDecision(.noPolicy, subject) }
        let rules = self.storage.rules
        guard !rules.bindPorts.isEmpty else { return PolicyDecision(.bindingIsOff, subject) }
        guard rules.bindAddresses.contains(where: { $0.unmapped == address }) else {
            return PolicyDecision(.bindAddress, subject)
        }
        guard port == 0 || rules.bindPorts.contains(port) else { return PolicyDecision(.bindPort, subject) }
        return PolicyDecision(.bindable, subject)
    }
}

extension EntryList {
    /// Whether an entry names the host, for the port where one is given.
    fileprivate func hasName(_ name: HostName, _ port: UInt16?) -> Bool {
        self.names.firstExact(name) { $0.covers(port, wholly: false) } != nil
            || self.names.firstWildcard(name) { $0.covers(port, wholly: false) } != nil
    }

    /// Whether an entry names addresses, which a name may turn out to have.
    fileprivate func hasNetwork(_ port: UInt16?) -> Bool {
        self.networkEntries.contains { $0.covers(port, wholly: false) }
    }
}
