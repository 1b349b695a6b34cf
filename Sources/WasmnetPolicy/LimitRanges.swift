import WasmnetQuota

extension Policy.Rules {
    /// Out-of-range limits of the policy and of its tiers.
    var problems: [String] {
        self.limits.problems
            + self.tiers.sorted { $0.key < $1.key }.flatMap { name, limits in
                limits.problems.map { "tier \(name): \($0)" }
            }
    }

    /// The same rules with every limit clamped to its range.
    var clamped: Policy.Rules {
        var rules = self
        rules.limits = rules.limits.clamped
        rules.tiers = rules.tiers.mapValues(\.clamped)
        return rules
    }
}
