package import Logging
package import WasmnetQuota

/// What the admin server asks of a node. Every method must answer soon and heed cancellation: a call that takes longer than the
/// server's request time is cancelled and answered 503.
///
/// A method throws ``AdminError`` for what the caller did wrong; any other error is answered 500, logged and not told.
package protocol AdminBackend: Sendable {
    /// Whether the node takes new sessions, check by check; ready where all are.
    func readiness() async throws -> [ReadinessCheck]
    func version() async throws -> VersionReport
    /// What the events tell each second.
    func snapshot() async throws -> NodeSnapshot

    /// Live sessions in the order of their ids.
    func sessions(_ question: SessionQuestion) async throws -> Page<SessionReport>
    /// Ends a session and its sockets.
    ///
    /// - Returns: false where there is none of that id.
    func closeSession(_ id: String) async throws -> Bool
    /// Live sockets in the order of session and id.
    func sockets(_ question: SocketQuestion) async throws -> Page<SocketReport>
    /// Ends one socket.
    ///
    /// - Returns: false where there is none of that id.
    func closeSocket(session: String, id: String) async throws -> Bool

    func denylist(_ window: PageWindow) async throws -> DenylistReport
    /// All of them, or none where one is wrong; an entry that is there already takes the new expiry and reason.
    func addToDenylist(_ additions: [DenylistAddition]) async throws -> DenylistChange
    /// All of them; entries that are not there are passed over.
    func removeFromDenylist(_ entries: [String]) async throws -> DenylistChange

    /// - Returns: nil where the client is unknown and has no override.
    func quota(of client: String) async throws -> QuotaReport?
    /// Replaces what was set for the client.
    func overrideQuota(
        of client: String, with request: QuotaRequest, for time: QuotaDuration
    ) async throws -> QuotaReport
    /// - Returns: false where there was no override.
    func clearQuotaOverride(of client: String) async throws -> Bool

    func policy() async throws -> PolicyReport
    /// Reads the policy anew; a bad one is thrown as ``AdminError/unprocessable(_:_:)`` and the old stays in force.
    func reloadPolicy() async throws -> PolicyReport
    func explain(host: String, port: UInt16, udp: Bool) async throws -> PolicyVerdict

    func logLevel() async throws -> Logger.Level
    func setLogLevel(_ level: Logger.Level) async throws
    /// Begins to drain, or tells how far it is; returns at once.
    func drain() async throws -> DrainReport
}
