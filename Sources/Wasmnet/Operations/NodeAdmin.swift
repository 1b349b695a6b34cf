import Foundation
import Logging
import NIOCore
import NIOPosix
import WasmnetAdmin
import WasmnetCluster
import WasmnetPolicy
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay
import WasmnetNet

/// What an operator may see of a server, and do with it.
struct NodeAdmin: AdminBackend {
    let server: Server
    let quotas: any QuotaStore
    let snapshots: DashboardSnapshots
    let readyNeedsRedis: Bool

    private var environment: RelayEnvironment { self.server.environment }

    // MARK: The node

    func readiness() async throws -> [ReadinessCheck] {
        var checks = [ReadinessCheck("draining", problem: self.server.isDraining ? "the node drains" : nil)]
        let isLoaded = self.server.denylist.inForce.isLoaded
        let notLoaded = isLoaded ? nil : "the denylist was not read yet"
        guard let member = self.server.member else { return checks + [ReadinessCheck("denylist", problem: notLoaded)] }
        let outage = member.outage
        let isDown = outage != nil || !member.isConnected
        let isAlone = isDown && member.isOptional && !self.readyNeedsRedis
        checks.append(
            ReadinessCheck("denylist", problem: isAlone ? nil : notLoaded, detail: isAlone ? notLoaded : nil))
        let cause = member.ledger.refusalCode.map { "refuses the nodes' commands (\($0))" } ?? "does not answer"
        let words =
            outage.map { "limits go by redis_failure (\($0.modes)) for \($0.seconds) s: Redis \(cause)" }
            ?? "there is no connection to Redis; after --redis-outage limits go by redis_failure"
        let isInRollCall = member.ledger.rollCalls > 0
        let down = isDown ? words : nil
        checks.append(
            ReadinessCheck(
                "redis", problem: self.readyNeedsRedis ? down : nil,
                detail: (self.readyNeedsRedis ? nil : down) ?? (isInRollCall ? Self.rollCall : nil)))
        return checks
    }

    private static let rollCall =
        "Redis' data is new or old: limits do not grow until all nodes have declared what they hold"

    func version() async throws -> VersionReport {
        VersionReport(
            name: "wasmnet", version: WasmnetVersion.current, commit: WasmnetVersion.commit,
            node: self.environment.nodeName,
            uptimeSeconds: self.server.uptimeSeconds)
    }

    func snapshot() async throws -> NodeSnapshot { await self.snapshots.snapshot() }

    func logLevel() async throws -> Logger.Level { try self.levelControl().get() }

    func setLogLevel(_ level: Logger.Level) async throws { try self.levelControl().set(level) }

    private func levelControl() throws(AdminError) -> ServerConfiguration.LogLevelControl {
        guard let control = self.server.configuration.logLevel else {
            throw .unavailable("not_supported", "the log level of this program cannot be read or set")
        }
        return control
    }

    func drain() async throws -> DrainReport {
        let left = self.server.beginDrain()
        return DrainReport(sessions: self.server.sessionCount, secondsLeft: left)
    }

    // MARK: Sessions and sockets

    private var handles: [SessionHandle] {
        self.environment.registry.sessions.sorted { $0.origin.id < $1.origin.id }
    }

    private func age(since opened: Int64) -> Double {
        Double(max(0, self.environment.clock.uptimeNanoseconds() - opened)) / 1e9
    }

    func sessions(_ question: SessionQuestion) async throws -> Page<SessionReport> {
        var items: [SessionReport] = []
        for handle in self.handles where question.window.after.map({ handle.origin.id > $0 }) ?? true {
            if let client = question.client, ClientID(text: client) != handle.origin.client { continue }
            try Task.checkCancellation()
            guard let status = await handle.status() else { continue }
            let report = SessionReport(
                id: handle.origin.id, client: handle.origin.client.text,
                remoteAddress: handle.origin.address.map { "\($0)" } ?? "local",
                protocol: "\(handle.origin.version)", state: status.isDraining ? .draining : .open,
                ageSeconds: self.age(since: handle.origin.opened), sockets: status.sockets, bytesUp: status.bytesUp,
                bytesDown: status.bytesDown)
            let sockets = question.destination == nil ? [] : await self.reports(of: handle)
            guard question.includes(report, sockets: sockets) else { continue }
            // One more than the page shows that there is a next one.
            if items.count == question.window.limit { return Page(items: items, next: items.last?.id) }
            items.append(report)
        }
        return Page(items: items)
    }

    func closeSession(_ id: String) async throws -> Bool {
        guard let handle = self.handles.first(where: { $0.origin.id == id }) else { return false }
        handle.endByOperator()
        return true
    }

    func sockets(_ question: SocketQuestion) async throws -> Page<SocketReport> {
        let after = question.window.after.map(SocketCursor.init(text:))
        if let after, after == nil {
            throw AdminError.badRequest("bad_parameter", "the cursor does not belong to this list")
        }
        var items: [SocketReport] = []
        for handle in self.handles {
            if let session = question.session, session != handle.origin.id { continue }
            if let client = question.client, ClientID(text: client) != handle.origin.client { continue }
            if let after = after.flatMap({ $0 }), handle.origin.id < after.session { continue }
            try Task.checkCancellation()
            for (socket, report) in await self.numbered(handle) {
                let cursor = SocketCursor(session: handle.origin.id, socket: socket)
                if let after = after.flatMap({ $0 }), cursor <= after { continue }
                guard question.includes(report) else { continue }
                if items.count == question.window.limit, let last = items.last {
                    return Page(items: items, next: "\(last.session).\(last.id)")
                }
                items.append(report)
            }
        }
        return Page(items: items)
    }

    func closeSocket(session: String, id: String) async throws -> Bool {
        guard let number = UInt64(id), let handle = self.handles.first(where: { $0.origin.id == session }) else {
            return false
        }
        return await handle.endByOperator(number)
    }

    private func reports(of handle: SessionHandle) async -> [SocketReport] {
        await self.numbered(handle).map(\.1)
    }

    private func numbered(_ handle: SessionHandle) async -> [(UInt64, SocketReport)] {
        await handle.sockets().map { record in
            let address = record.address.map { $0.endpointText(port: record.port) }
            return (
                record.socket,
                SocketReport(
                    session: handle.origin.id, id: "\(record.socket)", client: handle.origin.client.text,
                    kind: record.kind.rawValue, state: SocketState(record.state), destination: record.destination,
                    address: address, ageSeconds: self.age(since: record.opened), bytesUp: record.bytesUp,
                    bytesDown: record.bytesDown)
            )
        }
    }

    // MARK: Policy

    func policy() async throws -> PolicyReport {
        let status = self.server.policies.status
        return PolicyReport(
            generation: status.generation, source: self.server.policies.source?.path,
            ageSeconds: self.age(since: status.since), text: status.text, lastError: status.lastError)
    }

    func reloadPolicy() async throws -> PolicyReport {
        do {
            try self.server.policies.reload()
        } catch {
            throw AdminError.unprocessable("bad_policy", error.description)
        }
        return try await self.policy()
    }

    func explain(host: String, port: UInt16, udp: Bool) async throws -> PolicyVerdict {
        do {
            let explanation = try await self.environment.policy.explain(
                host: host, port: port, transport: udp ? .udp : .tcp, resolver: self.environment.resolver)
            return PolicyVerdict(allowed: explanation.allowed, steps: explanation.steps)
        } catch {
            throw AdminError.unprocessable("bad_destination", error.description)
        }
    }
}

/// The end of a page of sockets.
private struct SocketCursor: Comparable {
    let session: String
    let socket: UInt64

    init(session: String, socket: UInt64) {
        self.session = session
        self.socket = socket
    }

    /// `SESSION.SOCKET`
    init?(text: String) {
        guard let (session, digits) = ByteText(text).cutLast(at: "."), let socket = digits.decimal(as: UInt64.self)
        else {
            return nil
        }
        self.init(session: session.text, socket: socket)
    }

    static func < (left: Self, right: Self) -> Bool {
        (left.session, left.socket) < (right.session, right.socket)
    }
}

extension SocketState {
    init(_ state: SocketRecord.State) {
        switch state {
        case .opening: self = .opening
        case .open: self = .open
        case .halfClosed: self = .halfClosed
        case .listening: self = .listening
        }
    }
}
