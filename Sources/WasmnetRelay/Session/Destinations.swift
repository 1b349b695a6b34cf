import NIOCore
import WasmnetNet
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota

/// Where a client's requests lead, and whether the present policy allows them: names, addresses, ports to bind. On the session's
/// event loop.
final class Destinations {
    private let core: SessionCore
    private let log: SessionLog
    private let slots: Slots
    private let lookups: NameLookups
    private var resolvedNames: ResolvedNames

    init(_ core: SessionCore, _ log: SessionLog, _ slots: Slots) {
        self.core = core
        self.log = log
        self.slots = slots
        self.resolvedNames = ResolvedNames(limit: core.environment.settings.maxTiedAddresses)
        self.lookups = NameLookups(
            core.environment, eventLoop: core.eventLoop,
            asker: LookupAsker(client: core.origin.client, session: core.origin.id))
    }

    /// The session has ended: waiting lookups are answered.
    func end() {
        self.lookups.end()
    }

    // MARK: Before any waiting

    /// Parses a request's target, and checks its name against the policy.
    ///
    /// - Parameter port: nil when only the name is meant (`resolve`).
    func target(_ host: String, _ port: UInt16?, _ transport: TransportProtocol) -> Result<SocketTarget, Refusal> {
        if port == 0 { return .failure(Refusal(.protocolError, "port 0 cannot be connected to")) }
        var target = SocketTarget(host: host, port: port ?? 0, transport: transport)
        do {
            switch try Destination(parsing: host) {
            case .address(let address):
                target.address = address
                target.ties = self.names(of: address)
            case .name(let name):
                target.name = name
            }
        } catch {
            return .failure(Refusal(.protocolError, error.description))
        }
        guard let denial = target.forbidden(by: self.core.policy) else { return .success(target) }
        self.compareWithShadow(target, denial: denial)
        return .failure(Refusal(denial))
    }

    /// Where a request may be bound: its address, and the ports to try in this order.
    func bindable(
        _ host: String, _ port: UInt16, _ transport: TransportProtocol
    ) -> Result<(IPAddress, PortWalk), Refusal> {
        guard let address = IPAddress(host == "localhost" ? "127.0.0.1" : host) else {
            return .failure(Refusal(.protocolError, "an address to bind is an IP literal"))
        }
        let policy = self.core.policy
        let decision = policy.decideBind(address: address, port: port, transport: transport)
        guard decision.allowed else { return .failure(Refusal(decision)) }
        return .success((address, port == 0 ? PortWalk(policy.bindPorts) : PortWalk(only: port)))
    }

    // MARK: Addresses

    /// The names that the client resolved to an address.
    func names(of address: IPAddress) -> [HostName] { self.resolvedNames.names(of: address) }

    /// The addresses of a target that the policy allows; they are tied to its name from now on.
    func addresses(of target: SocketTarget, then body: @escaping NameLookups.Completion) {
        if let address = target.address {
            body(self.allowed([address], target), nil)
            return
        }
        guard let name = target.name else {
            body(.failure(Refusal(.nameNotFound, "\(target.host) is not a name")), nil)
            return
        }
        self.lookups.addresses(of: name, within: self.core.connectionTimeout) { then in
            self.slots.reserve(.resolve) { result, _ in then(result.map { _ in }) }
        } completion: { result, time in
            let allowed = result.flatMap { self.allowed($0, target) }
            if case .success(let addresses) = allowed { self.resolvedNames.remember(addresses, of: name) }
            body(allowed, time)
        }
    }

    /// Whether the caller must wait for a lookup.
    func mustLookUp(_ target: SocketTarget) -> Bool {
        target.address == nil && target.name.map { self.lookups.recent($0) == nil } ?? false
    }

    private func allowed(_ addresses: [IPAddress], _ target: SocketTarget) -> Result<[IPAddress], Refusal> {
        let (allowed, denial) = target.reach(addresses, under: self.core.policy)
        self.compareWithShadow(target, addresses, allowed: !allowed.isEmpty)
        guard allowed.isEmpty else { return .success(allowed) }
        return .failure(
            denial.map { Refusal($0, host: target.host, port: target.port) }
                ?? Refusal(.nameNotFound, "\(target.host) has no address"))
    }

    // MARK: The shadow policy, which is not enforced

    /// The policy in force denied the target before any name was looked up.
    private func compareWithShadow(_ target: SocketTarget, denial: PolicyDecision) {
        guard let shadow = self.core.environment.shadowPolicy else { return }
        // Without the addresses the most that can be said of a name is "not denied by name".
        let other = target.forbidden(by: shadow)
        self.observeShadow(allowed: false, other: other?.reason, target, "\(denial.reason)")
    }

    /// The policy in force decided by the target's addresses.
    private func compareWithShadow(_ target: SocketTarget, _ addresses: [IPAddress], allowed: Bool) {
        guard let shadow = self.core.environment.shadowPolicy else { return }
        let (reached, denial) = target.reach(addresses, under: shadow)
        self.observeShadow(
            allowed: allowed, other: reached.isEmpty ? denial?.reason ?? "no address" : nil, target, nil)
    }

    private func observeShadow(allowed: Bool, other denial: String?, _ target: SocketTarget, _ reason: String?) {
        let verdict: ShadowVerdict =
            switch (allowed, denial) {
            case (true, .some): .wouldDeny
            case (false, nil): .wouldAllow
            default: .same
            }
        self.log.shadowDecided(verdict, denial ?? reason ?? HostPort.text(target.host, target.port))
    }
}

@available(*, unavailable)
extension Destinations: Sendable {}
