import WasmnetPolicy

/// What the shadow policy would have decided of what clients ask for. It decides nothing.
extension Session {
    /// The policy in force denied the target before any name was looked up.
    func compareWithShadow(_ target: SocketTarget, denial: PolicyDecision) {
        guard let shadow = self.shadowPolicy else { return }
        // Without the addresses "not denied by name" is all that can be said of a name.
        let other = target.forbidden(by: shadow)
        self.tellShadow(allowed: false, other: other?.reason, target, "\(denial.reason)")
    }

    /// The policy in force decided by the target's addresses.
    func compareWithShadow(_ target: SocketTarget, _ addresses: [IPAddress], allowed: Bool) {
        guard let shadow = self.shadowPolicy else { return }
        let (reached, denial) = target.reach(addresses, under: shadow)
        self.tellShadow(allowed: allowed, other: reached.isEmpty ? denial?.reason ?? "no address" : nil, target, nil)
    }

    private var shadowPolicy: Policy? { self.environment.shadowPolicy }

    private func tellShadow(allowed: Bool, other denial: String?, _ target: SocketTarget, _ reason: String?) {
        let verdict: ShadowVerdict =
            switch (allowed, denial) {
            case (true, .some): .wouldDeny
            case (false, nil): .wouldAllow
            default: .same
            }
        self.environment.observer.shadowDecided(
            verdict, denial ?? reason ?? "\(target.host):\(target.port)", of: self.origin)
    }
}
