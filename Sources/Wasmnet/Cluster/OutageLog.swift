import WasmnetNet
import Logging
import NIOCore
import RedisClient
import WasmnetPolicy

/// Logs outages of Redis: a line when one begins and one when it ends, however it was noticed. A broken
/// connection is a line at debug, since one that is restored within `--redis-outage` changes nothing.
final class OutageLog: Sendable {
    private struct State {
        /// When Redis fell silent, in monotonic nanoseconds; nil: no outage was logged.
        var since: Int64?
        var wasConnected = false
        var isForbidden = false
    }

    private let state = Guarded(State())
    private let outageTime: TimeAmount
    private let logger: Logger

    /// - Parameter outageTime: the silence after which it is an outage.
    init(outageTime: TimeAmount, logger: Logger) {
        self.outageTime = outageTime
        self.logger = logger
    }

    /// The node starts while Redis is away.
    func started(without reason: any Error) {
        guard self.begins(MachineClock.uptimeNanoseconds()) else { return }
        self.logger.warning(
            "starting without Redis: limits go by redis_failure until it answers", metadata: ["reason": "\(reason)"])
    }

    /// - Parameter outages: those in progress.
    func changed(outages: Int, modes: OutageModes, reason: String?) {
        guard outages > 0 else { return self.ended() }
        guard self.begins(MachineClock.uptimeNanoseconds() - self.outageTime.nanoseconds) else { return }
        self.logger.warning(
            "limits go by redis_failure: Redis does not answer what nodes ask; the denylist stays as it was",
            metadata: ["mode": "\(modes.summary)", "reason": "\(reason ?? "unknown")"])
    }

    /// Redis answers.
    func ended() {
        let since = self.state.withLock { state in
            defer { state.since = nil }
            return state.since
        }
        guard let since else { return }
        self.logger.notice(
            "limits are the cluster's again: Redis answers",
            metadata: ["silent_seconds": "\((MachineClock.uptimeNanoseconds() - since) / 1_000_000_000)"])
    }

    /// How long Redis has been silent in the present outage, in whole seconds; nil where there is none.
    var silentSeconds: Int64? {
        self.state.withLock { $0.since }.map { (MachineClock.uptimeNanoseconds() - $0) / 1_000_000_000 }
    }

    private func begins(_ since: Int64) -> Bool {
        self.state.withLock { state in
            guard state.since == nil else { return false }
            state.since = since
            return true
        }
    }

    // MARK: Connections

    func connected(to endpoint: RedisEndpoint) {
        let isFirst = self.state.withLock { state in
            defer { state.wasConnected = true }
            return !state.wasConnected
        }
        self.logger.log(level: isFirst ? .info : .debug, "connected to Redis", metadata: ["redis": "\(endpoint)"])
    }

    func disconnected(_ reason: RedisError) {
        self.logger.debug("no connection to Redis", metadata: ["reason": "\(reason)"])
    }

    /// The connection that receives changes of the denylist came up or went down.
    func subscription(_ event: RedisLinkEvent) {
        switch event {
        case .up:
            self.state.withLock { $0.isForbidden = false }
            self.logger.debug("subscribed to the denylist's changes")
        case .down(_, .server(let error)) where error.code == "NOPERM":
            let isNews = self.state.withLock { state in
                defer { state.isForbidden = true }
                return !state.isForbidden
            }
            guard isNews else { return }
            self.logger.warning(
                "this user of Redis may not subscribe to the denylist's changes, which are now read every 5 s; let it SUBSCRIBE to channels wn:*",
                metadata: ["reason": "\(error)"])
        case .down(_, let reason):
            self.logger.debug("no subscription to the denylist's changes", metadata: ["reason": "\(reason)"])
        }
    }
}

extension OutageModes {
    /// One word if all are the same, otherwise each with its limit.
    var summary: String {
        let all: [(String, OutageMode)] = [
            ("max_sessions", self.sessions), ("max_connections", self.sockets), ("connects_per_sec", self.connects),
            ("resolves_per_sec", self.resolves), ("max_bandwidth_mbps", self.bandwidth),
            ("bytes_per_day", self.dayBytes),
        ]
        if all.allSatisfy({ $0.1 == self.sessions }) { return self.sessions.rawValue }
        return all.map { "\($0.0)=\($0.1.rawValue)" }.joined(separator: " ")
    }
}
