package import Logging
import WasmnetNet

/// One requested change, whether it was made or not.
package struct AuditRecord: Sendable, Hashable {
    /// Where the request came from, `address:port`.
    package var remote: String
    /// Whether it sent the token.
    package var hasToken: Bool
    /// The requested operation: `denylist.add`, `session.close`, …
    package var operation: String
    /// Its subject: an id, a client, entries; escaped and at most 256 bytes (``ByteText/shown(upTo:quoting:)``).
    package var subject: String
    /// The status answered.
    package var status: Int
    /// The error's code; nil: it was done.
    package var refusal: String?

    package init(
        remote: String, hasToken: Bool, operation: String, subject: String, status: Int, refusal: String? = nil
    ) {
        self.remote = remote
        self.hasToken = hasToken
        self.operation = operation
        self.subject = subject.shown()
        self.status = status
        self.refusal = refusal
    }
}

/// Where records of changes go. Called before the answer is written, for a refusal on the event loop: it must not block.
package typealias AuditHook = @Sendable (AuditRecord) -> Void

extension Logger {
    /// An audit that logs one line per change, at the level notice.
    package var audit: AuditHook {
        { record in
            var metadata: Logger.Metadata = [
                "operation": "\(record.operation)", "subject": "\(record.subject)", "remote": "\(record.remote)",
                "token": "\(record.hasToken)", "status": "\(record.status)",
            ]
            if let refusal = record.refusal { metadata["refusal"] = "\(refusal)" }
            self.notice(record.refusal == nil ? "admin change" : "admin change refused", metadata: metadata)
        }
    }
}
