/// Why a socket or a session ended or was refused: one closed list for wire, log and metric.
///
/// The raw value is the number in v2 messages; ``word`` is the same reason in JSON, logs and metrics.
package enum ReasonCode: UInt8, Sendable, CaseIterable {
    case normal = 0
    case clientClosed = 1
    case targetReset = 2
    /// The socket had no traffic for the idle timeout.
    case targetTimeout = 3
    case policyDenied = 16
    case denylisted = 17
    case maxConnections = 18
    case connectRate = 19
    case byteQuota = 20
    case maxSessions = 21
    /// No session, or no longer: the client is not entitled to one (a token is missing or not valid).
    case notAdmitted = 22
    case refused = 32
    case unreachable = 33
    case connectTimeout = 34
    case nameNotFound = 35
    case tlsFailed = 36
    case addressInUse = 37
    case protocolError = 48
    case unknownSocket = 49
    case duplicateID = 50
    case messageTooLarge = 51
    case tooSlow = 52
    case draining = 64
    case overloaded = 65
    case internalError = 66

    package var word: String {
        switch self {
        case .normal: "normal"
        case .clientClosed: "client_closed"
        case .targetReset: "target_reset"
        case .targetTimeout: "target_timeout"
        case .policyDenied: "policy_denied"
        case .denylisted: "denylisted"
        case .maxConnections: "max_connections"
        case .connectRate: "connect_rate"
        case .byteQuota: "byte_quota"
        case .maxSessions: "max_sessions"
        case .notAdmitted: "not_admitted"
        case .refused: "refused"
        case .unreachable: "unreachable"
        case .connectTimeout: "connect_timeout"
        case .nameNotFound: "name_not_found"
        case .tlsFailed: "tls_failed"
        case .addressInUse: "address_in_use"
        case .protocolError: "protocol_error"
        case .unknownSocket: "unknown_socket"
        case .duplicateID: "duplicate_id"
        case .messageTooLarge: "message_too_large"
        case .tooSlow: "too_slow"
        case .draining: "draining"
        case .overloaded: "overloaded"
        case .internalError: "internal"
        }
    }

    /// Refusals with these codes are sent as `denied`; all others as `error`.
    package var isDenial: Bool { self == .policyDenied || self == .denylisted }
}
