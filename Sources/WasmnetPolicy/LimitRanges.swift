/// The ranges of a client's limits, the same for policy files, flags and programs that embed the node.
extension ClientLimits {
    /// Of sessions, sockets and bursts.
    package static let counts = 0...1_000_000
    /// Of sessions, connects and look-ups a second.
    package static let perSecond = 0.0...1_000_000
    /// Of bandwidth, in megabits a second.
    package static let megabits = 0.0...1_000_000
    /// Of a dial's time, in seconds.
    package static let connectionTimeouts = 0.1...3600.0
    /// Of a socket's idle time, in seconds: up to a year.
    package static let idleTimeouts = 0.0...31_536_000.0

    /// Of bytes a day: up to 8192 TiB, the largest number that a script of Redis can hold.
    package static let dayBytes: ClosedRange<UInt64> = 0...1 << 53

    /// What is out of its range, a member each, with the range.
    package var problems: [String] {
        var copy = self
        return copy.clamp()
    }

    /// Each member in its range: the nearest number of it, or the default in place of what is no number.
    package var clamped: ClientLimits {
        var copy = self
        _ = copy.clamp()
        return copy
    }

    private mutating func clamp() -> [String] {
        var problems: [String] = []
        func hold<Number: Comparable>(
            _ name: String, _ member: WritableKeyPath<Self, Number>, _ range: ClosedRange<Number>
        ) {
            let value = self[keyPath: member]
            guard !range.contains(value) else { return }
            problems.append("\(name) is \(range.lowerBound) to \(range.upperBound), not \(value)")
            self[keyPath: member] =
                if value < range.lowerBound { range.lowerBound } else if value > range.upperBound {
                    range.upperBound
                } else { Self()[keyPath: member] }
        }
        hold("maxConnections", \.maxConnections, Self.counts)
        hold("maxSessions", \.maxSessions, Self.counts)
        hold("sessionsPerSecond", \.sessionsPerSecond, Self.perSecond)
        hold("sessionBurst", \.sessionBurst, Self.counts)
        hold("connectsPerSecond", \.connectsPerSecond, Self.perSecond)
        hold("connectBurst", \.connectBurst, Self.counts)
        hold("resolvesPerSecond", \.resolvesPerSecond, Self.perSecond)
        hold("resolveBurst", \.resolveBurst, Self.counts)
        hold("refusalsPerSecond", \.refusalsPerSecond, Self.perSecond)
        hold("refusalBurst", \.refusalBurst, Self.counts)
        hold(
            "maxBandwidthBitsPerSecond", \.maxBandwidthBitsPerSecond,
            Self.megabits.lowerBound * 1e6...Self.megabits.upperBound * 1e6)
        hold("bytesPerDay", \.bytesPerDay, Self.dayBytes)
        hold("idleTimeoutSeconds", \.idleTimeoutSeconds, Self.idleTimeouts)
        hold("connectionTimeoutSeconds", \.connectionTimeoutSeconds, Self.connectionTimeouts)
        return problems
    }
}

extension Policy.Rules {
    /// What is out of its range in the limits of the policy and of its tiers.
    var problems: [String] {
        self.limits.problems
            + self.tiers.sorted { $0.key < $1.key }.flatMap { name, limits in
                limits.problems.map { "tier \(name): \($0)" }
            }
    }

    /// The same rules with every limit in its range.
    var clamped: Policy.Rules {
        var rules = self
        rules.limits = rules.limits.clamped
        rules.tiers = rules.tiers.mapValues(\.clamped)
        return rules
    }
}
