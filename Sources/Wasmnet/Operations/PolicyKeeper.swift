import CoreMetrics
import Foundation
import Logging
import NIOConcurrencyHelpers
import WasmnetPolicy
import WasmnetRelay
import WasmnetText

/// The policy in force and how it changes: by its file, by an operator, by the program. Another policy is read and proven whole before
/// the old one goes; one that is wrong changes nothing.
final class PolicyKeeper: Sendable {
    struct Standing: Sendable {
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
    private let standingBox: NIOLockedValueBox<Standing>
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
        self.standingBox = NIOLockedValueBox(
            Standing(
                since: environment.clock.uptimeNanoseconds(), text: Self.text(of: configuration.policy, file),
                fingerprint: file.flatMap { FileFingerprint(path: $0.path) },
                shadowFingerprint: configuration.shadowPolicyFile.flatMap { FileFingerprint(path: $0) }))
    }

    var standing: Standing { self.standingBox.withLockedValue { $0 } }

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
        self.standingBox.withLockedValue {
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
                metadata: ["file": "\(source.path)", "generation": "\(self.standing.generation)"])
        } catch {
            self.standingBox.withLockedValue { $0.lastError = error.description }
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
        self.standingBox.withLockedValue {
            $0.generation += 1
            $0.since = now
            $0.text = text
            $0.lastError = nil
        }
        self.onChange(policy)
        self.environment.replacePolicy(policy)
    }

    /// Looks at the files from time to time and reads them again when they have changed, until its task is cancelled.
    func watch() async {
        guard let source = self.source else { return }
        while (try? await Task.sleep(for: self.interval)) != nil {
            let known = self.standing
            let now = FileFingerprint(path: source.path)
            let shadow = self.shadowPath.flatMap { FileFingerprint(path: $0) }
            // A file that is gone for a moment, as while an editor replaces it, is no change.
            guard let now, now != known.fingerprint || shadow != known.shadowFingerprint else { continue }
            try? self.reload()
        }
    }

    private static func text(of policy: Policy, _ source: ServerConfiguration.PolicySource?) -> String {
        let file = source.flatMap { FileManager.default.contents(atPath: $0.path) }
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
