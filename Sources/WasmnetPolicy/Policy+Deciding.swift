package import WasmnetNet

extension Policy {
    // MARK: Names

    /// Step 1, before DNS: the decision by the name alone; everything else is left to its addresses.
    ///
    /// A name that no address could make allowed is denied here: the client must not learn whether it exists.
    package func decide(name: HostName, port: UInt16, transport: TransportProtocol) -> PolicyDecision {
        self.decide(name, port, transport)
    }

    /// Whether a name may be looked up at all: not if none of its ports could be reached by either transport.
    package func decideLookup(name: HostName) -> PolicyDecision {
        self.decideByEither { self.decide(name, nil, $0) }
    }

    private func decideByEither(_ decide: (TransportProtocol) -> PolicyDecision) -> PolicyDecision {
        let first = decide(.tcp)
        guard !first.allowed else { return first }
        let second = decide(.udp)
        return second.allowed ? second : first
    }

    private func decide(_ name: HostName, _ port: UInt16?, _ transport: TransportProtocol) -> PolicyDecision {
        let subject = port.map { "\(name.text):\($0)" } ?? name.text
        if let entry = self.denylist?.entry(for: name, nil, port: port) {
            return PolicyDecision(.denylisted(entry), subject)
        }
        if let port, self.place.isProtected(name, port) { return PolicyDecision(.protectedEndpoint, subject) }
        if let tokenDestinations = self.terms?.tokenDestinations,
            !tokenDestinations.mayLead(name, port: port, transport: transport)
        {
            return PolicyDecision(.notAllowedByToken, subject)
        }
        guard !self.storage.isUnrestricted else { return PolicyDecision(.noPolicy, subject) }
        return PolicyDecision(self.denial(name, port, transport) ?? .undecided, subject)
    }

    private func denial(
        _ name: HostName, _ port: UInt16?, _ transport: TransportProtocol
    ) -> PolicyDecision.Rule? {
        let (deny, allow) = (self.storage.deny[transport], self.storage.allow[transport])
        if let entry = self.nameEntry(deny, name, port) ?? deny.portEntry(port) { return .deniedBy(entry) }
        guard !allow.hasName(name, port), !allow.hasNetwork(port) else { return nil }
        let rule = Self.byDefault(deny, allow, port)
        return PolicyDecision(rule, "").allowed ? nil : rule
    }

    /// Whether the name may be sent to DNS. A single label has a meaning only in the node's environment, as in compose: it is sent only if
    /// the operator wrote exactly this name.
    package func mayAskDNS(for name: HostName) -> Bool {
        if self.storage.isUnrestricted || name.text.utf8.contains(UInt8(ascii: ".")) { return true }
        return TransportProtocol.allCases.contains {
            self.storage.allow[$0].names.firstExact(name) { _ in true } != nil
        }
    }

    // MARK: Addresses

    /// Steps 2 to 6, for each address of a name, or a literal.
    ///
    /// - Parameter name: the name it was resolved from, or is tied to.
    package func decide(
        address: IPAddress, port: UInt16, name: HostName?, transport: TransportProtocol
    ) -> PolicyDecision {
        self.decide(address, port, name, transport)
    }

    /// Whether a client could reach the address on any port, by either transport.
    package func decideResolved(address: IPAddress, name: HostName?) -> PolicyDecision {
        self.decideByEither { self.decide(address, nil, name, $0) }
    }

    private func decide(
        _ address: IPAddress, _ port: UInt16?, _ name: HostName?, _ transport: TransportProtocol
    ) -> PolicyDecision {
        let reading = AddressReading(address, by: self.place.translators)
        let subject = Self.subject(reading.address, port)
        if let entry = self.denylisted(reading, port, name) { return PolicyDecision(.denylisted(entry), subject) }
        let decision = self.decideForAll(reading, port, name, transport)
        guard decision.allowed, let tokenDestinations = self.terms?.tokenDestinations,
            !tokenDestinations.covers(reading.address, port: port, name: name, transport: transport)
        else { return decision }
        return PolicyDecision(.notAllowedByToken, subject)
    }

    private func denylisted(_ reading: AddressReading, _ port: UInt16?, _ name: HostName?) -> DenylistEntry? {
        guard let denylist = self.denylist else { return nil }
        if let entry = denylist.entry(for: name, reading.address, port: port) { return entry }
        for inner in reading.inner {
            if let entry = denylist.entry(for: nil, inner, port: port) { return entry }
        }
        return nil
    }

    private func decideForAll(
        _ reading: AddressReading, _ port: UInt16?, _ name: HostName?, _ transport: TransportProtocol
    ) -> PolicyDecision {
        let (deny, allow) = (self.storage.deny[transport], self.storage.allow[transport])
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
        if let entry = deny.portEntry(port) { return decision(.deniedBy(entry)) }
        var first: PolicyDecision.Rule?
        for form in reading.judged {
            let rule = Self.allowance(form, reading, port, name, deny, allow)
            guard PolicyDecision(rule, "").allowed else {
                let inside = form == address ? "" : " (\(form) inside)"
                return PolicyDecision(rule, Self.subject(address, port) + inside)
            }
            first = first ?? rule
        }
        return decision(first ?? .notInAllow)
    }

    /// The decision of the guard and `allow` on one form of an address that no entry of `deny` names.
    private static func allowance(
        _ form: IPAddress, _ reading: AddressReading, _ port: UInt16?, _ name: HostName?, _ deny: EntryList,
        _ allow: EntryList
    ) -> PolicyDecision.Rule {
        let exactName = name.flatMap { allow.names.firstExact($0) { $0.covers(port, wholly: false) } }
        let network = allow.networks.first(for: form) { $0.covers(port, wholly: false) }
        if exactName == nil {
            if let service = CloudMetadata.name(of: form), network?.isSingleAddress != true {
                return .builtInGuard(service)
            }
            if network == nil, let range = SpecialRanges.name(of: form) { return .builtInGuard(range) }
        }
        // A network that is translated to IPv4 may be allowed as written; its guard is that of the embedded address.
        let outer =
            reading.isTranslated
            ? allow.networks.first(for: reading.address) { $0.covers(port, wholly: false) } : nil
        if let entry = exactName ?? network ?? outer { return .allowedBy(entry) }
        let wildcard = name.flatMap { allow.names.firstWildcard($0) { $0.covers(port, wholly: false) } }
        if let entry = wildcard { return .allowedBy(entry) }
        return self.byDefault(deny, allow, port)
    }

    /// The decision of entries for every host on a destination that no other entry names. Those of `deny` without a port deny by default;
    /// an entry of `allow` that is narrower than all of them, by naming a transport, takes precedence over them.
    private static func byDefault(_ deny: EntryList, _ allow: EntryList, _ port: UInt16?) -> PolicyDecision.Rule {
        var isDenied = false
        var isDeniedByTransport = false
        for entry in deny.everything where entry.ports == nil {
            isDenied = true
            if entry.transport != nil { isDeniedByTransport = true }
        }
        let entry = allow.everything.first { entry in
            guard entry.covers(port, wholly: false) else { return false }
            return !isDenied || entry.transport != nil && (entry.ports != nil || !isDeniedByTransport)
        }
        if let entry { return .allowedBy(entry) }
        return isDenied ? .denyByDefault : .notInAllow
    }

    /// Whether a connection from an address may be accepted: only the denylist decides this.
    package func decideAccepted(from address: IPAddress) -> PolicyDecision {
        let reading = AddressReading(address, by: self.place.translators)
        let entry = self.denylisted(reading, nil, nil)
        return PolicyDecision(entry.map { .denylisted($0) } ?? .acceptable, "\(address)")
    }

    private static func subject(_ address: IPAddress, _ port: UInt16?) -> String {
        port.map(address.endpointText) ?? "\(address)"
    }

    private func nameEntry(_ list: EntryList, _ name: HostName, _ port: UInt16?) -> PolicyEntry? {
        list.names.firstExact(name) { $0.covers(port, wholly: true) }
            ?? list.names.firstWildcard(name) { $0.covers(port, wholly: true) }
    }

    // MARK: Binding

    /// Whether a client may bind an address and port; port 0 asks for any port that may be bound.
    package func decideBind(address: IPAddress, port: UInt16, transport: TransportProtocol) -> PolicyDecision {
        let address = address.withoutV4Mapping
        let subject = Self.subject(address, port)
        // On any address: a name such as localhost may lead to another one than the node's own.
        if self.place.isOwnPort(port) { return PolicyDecision(.protectedEndpoint, subject) }
        if let tokenDestinations = self.terms?.tokenDestinations,
            !tokenDestinations.coversBinding(address, port: port, transport: transport)
        {
            return PolicyDecision(.notAllowedByToken, subject)
        }
        guard !self.storage.isUnrestricted else { return PolicyDecision(.noPolicy, subject) }
        let rules = self.storage.rules
        guard !rules.bindPorts.isEmpty else { return PolicyDecision(.bindingIsOff, subject) }
        guard rules.bindAddresses.contains(where: { $0.withoutV4Mapping == address }) else {
            return PolicyDecision(.bindAddress, subject)
        }
        guard port == 0 || rules.bindPorts.contains(port) else { return PolicyDecision(.bindPort, subject) }
        return PolicyDecision(.bindable, subject)
    }
}

extension EntryList {
    /// Whether an entry names the host, for the port if one is given.
    fileprivate func hasName(_ name: HostName, _ port: UInt16?) -> Bool {
        self.names.firstExact(name) { $0.covers(port, wholly: false) } != nil
            || self.names.firstWildcard(name) { $0.covers(port, wholly: false) } != nil
    }

    /// In a list that denies: the entry for a port of every host, such as `*:25`.
    fileprivate func portEntry(_ port: UInt16?) -> PolicyEntry? {
        self.everything.first { $0.ports != nil && $0.covers(port, wholly: true) }
    }

    /// Whether an entry names addresses, which a name may turn out to have.
    fileprivate func hasNetwork(_ port: UInt16?) -> Bool {
        self.networkEntries.contains { $0.covers(port, wholly: false) }
    }
}
