import CoreMetrics
import Foundation
import Logging
import WasmnetPolicy
import WasmnetRelay
import WasmnetNet

/// The policy in force and how it changes: by its file, by an operator, by the program. Another policy is read and proven whole before
/// the old one goes; one that is wrong changes nothing.
final class PolicyReloader: Sendable {
    struct Status: Sendable {
        /// Counts the policies that came into force.
        var generation: UInt64 = 1
        /// Monotonic nanoseconds of when it did.
        var since: Int64
        /// The file's text, or what the rules come to.
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
    ///   - demands: what the rest of the configuration asks of every policy.
    ///   - onChange: told of each policy that comes into force after the first.
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

    /// Puts a policy in force that the program made.
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
        // Before it is read: a change that comes meanwhile is seen by the next look.
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
            // A line for each thing that is wrong: a field of the log has no room for all.
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

    /// Looks at the files from time to time and reads them again when they have changed, until its task is cancelled.
    func watch() async {
        guard let source = self.source else { return }
        var settling = Settling<Look>()
        while (try? await Task.sleep(for: self.interval)) != nil {
            let status = self.status
            let known = Look(policy: status.fingerprint, shadow: status.shadowFingerprint)
            let policy = FileFingerprint(path: source.path)
            let shadow = self.shadowPath.flatMap { FileFingerprint(path: $0) }
            // A file that is gone or empty for a moment, as while an editor replaces it, is no change.
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

/// Tells when something has become other than it was and stays so: a file that is being written is another at each look.
package struct Settling<State: Equatable> {
    private var last: State?

    package init() {}

    /// Whether a look shows another state than the known one, the same as the look before it did.
    ///
    /// - Parameter state: nil where nothing can be said.
    package mutating func isNew(_ state: State?, known: State) -> Bool {
        defer { self.last = state }
        guard let state, state != known else { return false }
        return state == self.last
    }
}

/// Tells one state of a file from another: also where a link leads elsewhere, as in Kubernetes' volumes.
private struct FileFingerprint: Sendable, Equatable {
    let path: String
    let number: UInt64
    let size: UInt64
    let modified: Date

    /// Nil where there is no such file.
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
