import Logging
import NIOConcurrencyHelpers
import WasmnetAdmin
import WasmnetQuota

/// A simulated node: some sessions, a denylist, and the ways a node can fail.
final class FakeBackend: AdminBackend {
    enum Mood {
        case well
        /// Every call throws an error that is not an AdminError.
        case broken
        /// No call ever ends, not even when it is cancelled.
        case stuck
        case badPolicy
    }

    struct Broken: Error {}

    struct State {
        var mood = Mood.well
        var checks = [ReadinessCheck("denylist"), ReadinessCheck("draining")]
        var sessions = (1...3).map { FakeBackend.session("a-\($0)", client: $0 == 3 ? "t:ann" : "a:192.0.2.1") }
        var sockets = [
            FakeBackend.socket("a-1", "7", "Example.com:443", .open),
            FakeBackend.socket("a-1", "8", "[2001:db8::1]:53", .opening),
            FakeBackend.socket("a-2", "7", nil, .listening),
        ]
        var denied: [DenylistAddition] = []
        var overrides: QuotaOverrides?
        var level = Logger.Level.info
        var explained: [String] = []
        var snapshots = 0
        /// In each snapshot.
        var nodes = 1
        var held: [CheckedContinuation<Void, Never>] = []
    }

    let state = NIOLockedValueBox(State())

    init(_ mood: Mood = .well) { self.state.withLockedValue { $0.mood = mood } }

    deinit { self.letGo() }

    /// Ends the blocked calls.
    func letGo() {
        let held = self.state.withLockedValue { state in
            defer { state.held = [] }
            state.mood = .well
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    private func answer<Value>(_ body: (inout State) throws -> Value) async throws -> Value {
        switch self.state.withLockedValue({ $0.mood }) {
        case .broken: throw Broken()
        case .stuck:
            await withCheckedContinuation { continuation in
                self.state.withLockedValue { $0.held.append(continuation) }
            }
        case .well, .badPolicy: break
        }
        return try self.state.withLockedValue(body)
    }

    static func session(_ id: String, client: String) -> SessionReport {
        SessionReport(
            id: id, client: client, remoteAddress: "192.0.2.1:5000", protocol: "v2", state: .open, ageSeconds: 1.5,
            sockets: 2, bytesUp: 10, bytesDown: 1 << 40)
    }

    static func socket(_ session: String, _ id: String, _ destination: String?, _ state: SocketState) -> SocketReport {
        SocketReport(
            session: session, id: id, client: "a:192.0.2.1", kind: "tcp", state: state, destination: destination,
            address: destination.map { _ in "198.51.100.7:443" }, ageSeconds: 0.5, bytesUp: 1, bytesDown: 2)
    }

    func readiness() async throws -> [ReadinessCheck] { try await answer { $0.checks } }

    func version() async throws -> VersionReport {
        try await answer { _ in VersionReport(name: "wasmnet-node", version: "1.2.3", node: "n1", uptimeSeconds: 5) }
    }

    func snapshot() async throws -> NodeSnapshot {
        try await answer { state in
            state.snapshots += 1
            return NodeSnapshot(
                time: Int64(state.snapshots), node: "n1", gauges: ["sessions": 3], counters: ["bytes_up": 10],
                groups: ["denials": ["policy_denied": 1]],
                quantiles: ["dial_seconds": ["0.5": 0.01, "0.99": .infinity]],
                nodes: (1...state.nodes).map {
                    .init(name: "n\($0)", sessions: 3, sockets: 3, denylistVersion: 9, isDraining: false)
                })
        }
    }

    func sessions(_ question: SessionQuestion) async throws -> Page<SessionReport> {
        try await answer { state in
            let sockets = state.sockets
            let matching = state.sessions.filter { session in
                question.includes(session, sockets: sockets.filter { $0.session == session.id })
            }
            return Page(of: matching, window: question.window, key: \.id)
        }
    }

    func closeSession(_ id: String) async throws -> Bool {
        try await answer { state in
            let before = state.sessions.count
            state.sessions.removeAll { $0.id == id }
            return state.sessions.count < before
        }
    }

    func sockets(_ question: SocketQuestion) async throws -> Page<SocketReport> {
        try await answer { state in
            Page(of: state.sockets.filter(question.includes), window: question.window) { "\($0.session)/\($0.id)" }
        }
    }

    func closeSocket(session: String, id: String) async throws -> Bool {
        try await answer { state in
            let before = state.sockets.count
            state.sockets.removeAll { $0.session == session && $0.id == id }
            return state.sockets.count < before
        }
    }

    func denylist(_ window: PageWindow) async throws -> DenylistReport {
        try await answer { state in
            let entries = state.denied.map { addition in
                DenylistEntry(
                    entry: addition.entry, reason: addition.reason,
                    secondsLeft: addition.timeToLive.map { Double($0.components.seconds) })
            }.sorted { $0.entry < $1.entry }
            return DenylistReport(
                version: 9, size: entries.count, ageSeconds: 0.25, page: Page(of: entries, window: window, key: \.entry)
            )
        }
    }

    func addToDenylist(_ additions: [DenylistAddition]) async throws -> DenylistChange {
        try await answer { state in
            if let wrong = additions.first(where: { $0.entry.contains("/99") }) {
                throw AdminError.unprocessable("bad_entry", "\(wrong.entry) is neither an address nor a name")
            }
            state.denied += additions
            return DenylistChange(version: 10, changed: additions.count)
        }
    }

    func removeFromDenylist(_ entries: [String]) async throws -> DenylistChange {
        try await answer { state in
            let before = state.denied.count
            state.denied.removeAll { entries.contains($0.entry) }
            return DenylistChange(version: 11, changed: before - state.denied.count)
        }
    }

    func quota(of client: String) async throws -> QuotaReport? {
        try Self.check(client)
        return try await answer { client == "missing" ? nil : Self.report(client, $0) }
    }

    /// Like the node for an invalid client or host.
    private static func check(_ name: String) throws {
        if name == "unreadable" { throw AdminError.unprocessable("bad_client", "it is no client") }
    }

    private static let limits = ClientLimits.only(
        maxConnections: 50, maxSessions: 8, connectsPerSecond: 20, connectBurst: 40, bytesPerSecond: 62_500,
        bytesPerDay: 1 << 50)

    private static func report(_ client: String, _ state: State) -> QuotaReport {
        let now = QuotaInstant(microseconds: 1_767_268_800_000_000)
        let account = ClientAccount(
            now: now, holdings: [.init(node: "n1", sessions: 1, sockets: 2)],
            bandwidth: TokenBucket(level: -5_000_000, refilledAt: now), dayBytes: 7, dayEnds: now + .seconds(43_200),
            overrides: state.overrides ?? QuotaOverrides(),
            overridesEnd: state.overrides.map { _ in now + .seconds(60) })
        return QuotaReport(
            ClientID(text: client), account, limits: self.limits,
            holders: account.holdings.map { .init($0, name: "edge-1", address: "192.0.2.1:9000") })
    }

    func overrideQuota(
        of client: String, with request: QuotaRequest, for time: QuotaDuration
    ) async throws -> QuotaReport {
        try Self.check(client)
        if client == "missing" { throw AdminError.notFound("its override is over already") }
        let overrides: QuotaOverrides
        do throws(QuotaProblems) {
            overrides = try QuotaOverrides(request, over: Self.limits)
        } catch {
            throw AdminError.unprocessable("bad_override", error.all.map { $0.text() }.joined(separator: "; "))
        }
        return try await answer { state in
            state.overrides = overrides
            return Self.report(client, state)
        }
    }

    func clearQuotaOverride(of client: String) async throws -> Bool {
        try Self.check(client)
        return try await answer { state in
            defer { state.overrides = nil }
            return state.overrides != nil
        }
    }

    private static let policyReport = PolicyReport(
        generation: 2, source: "policy.toml", ageSeconds: 3, text: "deny = [\"*:25\"]\n")

    func policy() async throws -> PolicyReport { try await answer { _ in Self.policyReport } }

    func reloadPolicy() async throws -> PolicyReport {
        try await answer { state in
            if state.mood == .badPolicy { throw AdminError.unprocessable("bad_policy", "line 3: no such key") }
            return Self.policyReport
        }
    }

    func explain(host: String, port: UInt16, udp: Bool) async throws -> PolicyVerdict {
        try Self.check(host)
        return try await answer { state in
            state.explained.append("\(host) \(port) \(udp)")
            return PolicyVerdict(allowed: true, steps: ["the name: nothing forbids it"])
        }
    }

    func logLevel() async throws -> Logger.Level { try await answer { $0.level } }
    func setLogLevel(_ level: Logger.Level) async throws { try await answer { $0.level = level } }

    func drain() async throws -> DrainReport {
        try await answer { DrainReport(sessions: $0.sessions.count, secondsLeft: 30) }
    }
}
