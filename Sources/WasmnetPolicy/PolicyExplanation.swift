package import WasmnetNet

/// How a destination is decided, step by step.
package struct PolicyExplanation: Sendable, Equatable, CustomStringConvertible {
    package let steps: [String]
    package let allowed: Bool

    package var description: String {
        let numbered = self.steps.enumerated().map { "\($0 + 1). \($1)" }
        return (numbered + [self.allowed ? "ALLOWED" : "DENIED"]).joined(separator: "\n")
    }
}

extension Policy {
    /// - Parameter resolved: the name's addresses; for a literal, itself.
    package func explain(
        host: String, port: UInt16, transport: TransportProtocol, resolved: [IPAddress]
    ) -> PolicyExplanation {
        let explanation = self.explain(host, port, transport, resolved)
        let other: TransportProtocol = transport == .tcp ? .udp : .tcp
        let elsewhere = self.explain(host, port, other, resolved)
        let verdict: String
        if elsewhere.allowed != explanation.allowed {
            verdict = elsewhere.allowed ? "it is allowed" : "it is denied"
        } else if !explanation.allowed, explanation.steps.count == 1, elsewhere.steps.count > 1 {
            // A denied name is not looked up, so nothing more is known.
            verdict = "its addresses decide"
        } else {
            return explanation
        }
        let hint = "this is for \(transport.rawValue); for \(other.rawValue) \(verdict)"
        return PolicyExplanation(steps: explanation.steps + [hint], allowed: explanation.allowed)
    }

    private func explain(
        _ host: String, _ port: UInt16, _ transport: TransportProtocol, _ resolved: [IPAddress]
    ) -> PolicyExplanation {
        var steps: [String] = []
        var name: HostName?
        do {
            switch try Destination(parsing: host) {
            case .address(let address): steps.append("\(host) is the address \(address); nothing is looked up")
            case .name(let parsed):
                name = parsed
                let decision = self.decide(name: parsed, port: port, transport: transport)
                steps.append("the name: \(decision.reason)")
                guard decision.allowed else { return PolicyExplanation(steps: steps, allowed: false) }
                let list = resolved.map(\.description).joined(separator: ", ")
                let why =
                    self.mayAskDNS(for: parsed)
                    ? "" : "; a name of one label is looked up in DNS only if allow has exactly that name"
                steps.append(
                    resolved.isEmpty ? "\(parsed.text) was not found\(why)" : "\(parsed.text) resolves to \(list)")
            }
        } catch {
            return PolicyExplanation(steps: ["\(host): \(error.description)"], allowed: false)
        }
        var allowed = false
        for address in resolved {
            let reading = AddressReading(address, by: self.place.translators)
            if !reading.inner.isEmpty {
                let inside = reading.inner.map(\.description).joined(separator: " and ")
                steps.append(
                    reading.isTranslated
                        ? "\(address) is translated to \(inside), which decides"
                        : "\(address) contains \(inside): each must be allowed by itself")
            }
            let decision = self.decide(address: address, port: port, name: name, transport: transport)
            steps.append("the address: \(decision.reason)")
            allowed = allowed || decision.allowed
        }
        return PolicyExplanation(steps: steps, allowed: allowed)
    }
}
