package import Logging
package import WasmnetQuota

/// What the admin server needs from a node. Every method must return soon and honour cancellation: a call that takes longer than the
/// server's request time is cancelled and answered 503.
///
/// A method throws ``AdminError`` for errors of the caller; any other error is answered 500 and logged, but not disclosed.
package protocol AdminBackend: Sendable {
    /// Whether the node accepts new sessions, check by check; ready if all pass.
    func readiness() async throws -> [ReadinessCheck]
    func version() async throws -> VersionReport
    /// The data of each second's event.
    func snapshot() async throws -> NodeSnapshot

    /// Live sessions in the order of their ids.
    func sessions(_ question: SessionQuestion) async throws -> Page<SessionReport>
    /// Ends a session and its sockets.
    ///
    /// - Returns: false if there is none with that id.
    func closeSession(_ id: String) async throws -> Bool
    /// Live sockets in the order of session and id.
    func sockets(_ question: SocketQuestion) async throws -> Page<SocketReport>
    /// Ends one socket.
    ///
    /// - Returns: false if there is none with that id.
    func closeSocket(session: String, id: String) async throws -> Bool

    func denylist(_ window: PageWindow) async throws -> DenylistReport
    /// All of them, or none if one is invalid; an existing entry gets the new expiry and reason.
    func addToDenylist(_ additions: [DenylistAddition]) async throws -> DenylistChange
    /// All of them; missing entries are skipped.
    func removeFromDenylist(_ entries: [String]) async throws -> DenylistChange

    /// - Returns: nil if the client is unknown and has no override.
    func quota(of client: String) async throws -> QuotaReport?
    /// Replaces the client's overrides.
    func overrideQuota(
        of client: String, with request: QuotaRequest, for time: QuotaDuration
    ) async throws -> QuotaReport
    /// - Returns: false if there was no override.
    func clearQuotaOverride(of client: String) async throws -> Bool

    func policy() async throws -> PolicyReport
    /// Reloads the policy; an invalid one is thrown as ``AdminError/unprocessable(_:_:)`` and the old stays in force.
    func reloadPolicy() async throws -> PolicyReport
    func explain(host: String, port: UInt16, udp: Bool) async throws -> PolicyVerdict

    func logLevel() async throws -> Logger.Level
    func setLogLevel(_ level: Logger.Level) async throws
    /// Begins to drain, or reports its progress; returns at once.
    func drain() async throws -> DrainReport
}
