/// One requirement for a node to be ready.
package struct ReadinessCheck: Sendable, Hashable, Codable {
    /// `draining`, `denylist`, `redis`, …
    package var name: String
    /// Why it fails; nil: it passes.
    package var problem: String?
    /// A note for the operator even if it passes; nil: none.
    package var detail: String?

    package init(_ name: String, problem: String? = nil, detail: String? = nil) {
        self.name = name
        self.problem = problem
        self.detail = detail
    }

    package var isWell: Bool { self.problem == nil }
}

package struct VersionReport: Sendable, Hashable, Codable {
    package var name: String
    package var version: String
    /// Of the source; nil if unknown.
    package var commit: String?
    /// This node's name in its cluster.
    package var node: String
    package var uptimeSeconds: Double

    package init(name: String, version: String, commit: String? = nil, node: String, uptimeSeconds: Double) {
        self.name = name
        self.version = version
        self.commit = commit
        self.node = node
        self.uptimeSeconds = uptimeSeconds
    }
}

/// The policy in force.
package struct PolicyReport: Sendable, Hashable, Codable {
    /// Increases with each policy that came into force since the start.
    package var generation: UInt64
    /// Where it was read from; nil: it was set by the program.
    package var source: String?
    /// Since it came into force.
    package var ageSeconds: Double
    /// As it would be written in a policy file.
    package var text: String
    /// Why the last reload failed; nil: it did not.
    package var lastError: String?

    package init(generation: UInt64, source: String?, ageSeconds: Double, text: String, lastError: String? = nil) {
        self.generation = generation
        self.source = source
        self.ageSeconds = ageSeconds
        self.text = text
        self.lastError = lastError
    }
}

/// How a destination is decided, step by step.
package struct PolicyVerdict: Sendable, Hashable, Codable {
    package var allowed: Bool
    package var steps: [String]

    package init(allowed: Bool, steps: [String]) {
        self.allowed = allowed
        self.steps = steps
    }
}

package struct DrainReport: Sendable, Hashable, Codable {
    /// Still live.
    package var sessions: Int
    /// Until they are ended anyway.
    package var secondsLeft: Double

    package init(sessions: Int, secondsLeft: Double) {
        self.sessions = sessions
        self.secondsLeft = secondsLeft
    }
}
