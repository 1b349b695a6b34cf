import CoreMetrics
import Foundation
import Logging
import WasmnetPolicy
import WasmnetRelay
import WasmnetNet

/// The policy in force and its changes: by its file, by an operator, by the program. A new policy is read and checked completely before
/// it replaces the old one; an invalid one changes nothing.
final class PolicyReloader: Sendable {
    struct Status: Sendable {
        /// Number of policies that came into force.
        var generation: UInt64 = 1
        /// When it came into force, in monotonic nanoseconds.
        var since: Int64
        /// The file's text, or a text for the rules.
        var text: String
        /// Why the last reload failed; nil: it did not.
        var lastError: String?
        fileprivate var fingerprint: FileFingerprint?
        fileprivate var shadowFingerprint: FileFingerprint?
    }

    let source: ServerConfiguration.PolicySource?
    private let shadowPath: String?
    private let environment: RelayEnvironment
    private let demands: IdentityDemands
    private let metrics: NodeMetrics
    private let logger: Logger
    private let interval: Duration
    private let statusBox: Guarded<Status>
    private let onChange: @Sendable (Policy) -> Void

    /// - Parameters:
    ///   - demands: what the rest of the configuration requires of every policy.
    ///   - onChange: called with each policy that comes into force after the first.
    init(
        _ configuration: ServerConfiguration, environment: RelayEnvironment, demands: IdentityDemands,
        metrics: NodeMetrics, onChange: @escaping @Sendable (Policy) -> Void
    ) {
        self.source = configuration.policyFile
        self.shadowPath = configuration.shadowPolicyFile
        self.environment = environment
        self.demands = demands
        self.metrics = metrics
        self.logger = configuration.logger
        self.interval = configuration.policyWatchInterval
        self.onChange = onChange
        let file = configuration.policyFile
        self.statusBox = Guarded(
            Status(
                since: environment.clock.uptimeNanoseconds(), text: Self.text(of: configuration.policy, file),
                fingerprint: file.flatMap { FileFingerprint(path: $0.path) },
                shadowFingerprint: configuration.shadowPolicyFile.flatMap { FileFingerprint(path: $0) }))
    }

    var status: Status { self.statusBox.withLock { $0 } }

    /// Puts a policy from the program in force.
    func replace(_ policy: Policy) {
        self.enforce(policy, text: Self.text(of: policy, nil))
    }

    /// Reads the file, and the shadow's, again.
    ///
    /// - Throws: ``ConfigurationError``; then the old policy stays in force.
    func reload() throws(ConfigurationError) {
        guard let source = self.source else {
            throw ConfigurationError(
                "the policy was given by the program, not by a file: there is nothing to read again")
        }
        // Before it is read: the next check notices a change made meanwhile.
        let fingerprint = FileFingerprint(path: source.path)
        let shadowFingerprint = self.shadowPath.flatMap { FileFingerprint(path: $0) }
        self.statusBox.withLock {
            $0.fingerprint = fingerprint
            $0.shadowFingerprint = shadowFingerprint
        }
        do {
            let policy = try source.load()
            try self.demands.check(policy)
            let shadow = try self.shadowPath.map { (path) throws(ConfigurationError) in
                try ServerConfiguration.PolicySource(path: path).load()
            }
            self.environment.shadowPolicy = shadow
            self.enforce(policy, text: Self.text(of: policy, source))
            self.metrics.policyReloadsOK.increment()
            self.logger.notice(
                "the policy was read again and is in force",
                metadata: ["file": "\(source.path)", "generation": "\(self.status.generation)"])
        } catch {
            self.statusBox.withLock { $0.lastError = error.description }
            self.metrics.policyReloadsFailed.increment()
            // A line for each error: a field of the log has no room for all.
            for problem in ByteText(error.description).lines.prefix(20) {
                self.logger.error(
                    "the policy's file is wrong; the policy in force stays",
                    metadata: ["file": "\(source.path)", "reason": "\(problem.text)"])
            }
            throw error
        }
    }

    private func enforce(_ policy: Policy, text: String) {
        let now = self.environment.clock.uptimeNanoseconds()
        self.statusBox.withLock {
            $0.generation += 1
            $0.since = now
            $0.text = text
            $0.lastError = nil
        }
        self.onChange(policy)
        self.environment.replacePolicy(policy)
    }

    private struct Look: Equatable {
        var policy: FileFingerprint?
        var shadow: FileFingerprint?
    }

    /// Checks the files periodically and reads them again when they have changed, until its task is cancelled.
    func watch() async {
        guard let source = self.source else { return }
        var settling = Settling<Look>()
        while (try? await Task.sleep(for: self.interval)) != nil {
            let status = self.status
            let known = Look(policy: status.fingerprint, shadow: status.shadowFingerprint)
            let policy = FileFingerprint(path: source.path)
            let shadow = self.shadowPath.flatMap { FileFingerprint(path: $0) }
            // A file that is missing or empty for a moment, as while an editor replaces it, does not count as a change.
            let isThere = policy.map { $0.size > 0 } ?? false
            let isWhole = isThere && shadow?.size != 0
            if settling.isNew(isWhole ? Look(policy: policy, shadow: shadow) : nil, known: known) {
                try? self.reload()
            }
        }
    }

    private static func text(of policy: Policy, _ source: ServerConfiguration.PolicySource?) -> String {
        let file = source.flatMap { try? FileBytes.read($0.path) }
        if let file { return String(decoding: file, as: UTF8.self) }
        func list(_ entries: [PolicyEntry]) -> String { entries.map { "\"\($0.text)\"" }.joined(separator: ", ") }
        return """
            # given by the program
            [network]
            deny = [\(list(policy.rules.deny))]
            allow = [\(list(policy.rules.allow))]

            """
    }
}

/// Detects when a state has changed and is stable again: a file being written differs at each check.
package struct Settling<State: Equatable> {
    private var last: State?

    package init() {}

    /// Whether a check shows another state than the known one, and the same as the previous check.
    ///
    /// - Parameter state: nil if unknown.
    package mutating func isNew(_ state: State?, known: State) -> Bool {
        defer { self.last = state }
        guard let state, state != known else { return false }
        return state == self.last
    }
}

/// Distinguishes states of a file, including when a link points elsewhere, as in Kubernetes' volumes.
private struct FileFingerprint: Sendable, Equatable {
    let path: String
    let number: UInt64
    let size: UInt64
    let modified: Date

    /// Nil if there is no such file.
    init?(path: String) {
        self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: self.path),
            let number = (attributes[.systemFileNumber] as? NSNumber)?.uint64Value,
            let size = (attributes[.size] as? NSNumber)?.uint64Value,
            let modified = attributes[.modificationDate] as? Date
        else { return nil }
        (self.number, self.size, self.modified) = (number, size, modified)
    }
}
