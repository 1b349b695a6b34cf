import CoreMetrics
import WasmnetProtocol
import WasmnetQuota
import WasmnetRelay

/// The handles of a node's metrics, created at its start from closed lists, so that counting finds them ready and the number of series
/// never grows. They belong to whatever backend of swift-metrics created them.
final class NodeMetrics: Sendable {
    let sessions: Meter
    let sessionAdmitted: Counter
    let sessionRefused: [ReasonCode: Counter]
    let sockets: [SocketKind: Meter]
    let opened: [SocketKind: Counter]
    let refused: [SocketKind: [ReasonCode: Counter]]
    let closes: [ReasonCode: Counter]
    let denials: [ReasonCode: Counter]
    let bytesUp: Counter
    let bytesDown: Counter
    let datagramsDropped: [Direction: Counter]
    let steps: [OpeningStep: CoreMetrics.Timer]
    let redis: CoreMetrics.Timer
    let quotaRefusals: [QuotaKind: Counter]
    let bandwidthWaits: Counter
    let refusedMessages: Counter
    let refusalWaits: Counter
    let clientPauses: Counter
    let targetPauses: Counter
    let shadow: [ShadowVerdict: Counter]
    let policyReloadsOK: Counter
    let policyReloadsFailed: Counter
    let loopLag: CoreMetrics.Timer

    init(_ factory: any MetricsFactory) {
        func counter(_ name: String, _ labels: (String, String)...) -> Counter {
            Counter(label: name, dimensions: labels, factory: factory)
        }
        func each<Case: CaseIterable & Hashable, Handle>(
            _: Case.Type, _ make: (Case) -> Handle
        ) -> [Case: Handle] {
            Dictionary(uniqueKeysWithValues: Case.allCases.map { ($0, make($0)) })
        }
        func timer(_ name: String) -> CoreMetrics.Timer { CoreMetrics.Timer(label: name, factory: factory) }

        self.sessions = Meter(label: MetricNames.sessions, factory: factory)
        self.sessionAdmitted = counter(MetricNames.sessionOpens, ("outcome", "admitted"))
        self.sessionRefused = each(ReasonCode.self) { counter(MetricNames.sessionOpens, ("outcome", $0.word)) }
        self.sockets = each(SocketKind.self) {
            Meter(label: MetricNames.sockets, dimensions: [("kind", $0.rawValue)], factory: factory)
        }
        self.opened = each(SocketKind.self) {
            counter(MetricNames.opens, ("kind", $0.rawValue), ("outcome", "ok"))
        }
        self.refused = each(SocketKind.self) { kind in
            each(ReasonCode.self) { counter(MetricNames.opens, ("kind", kind.rawValue), ("outcome", $0.word)) }
        }
        self.closes = each(ReasonCode.self) { counter(MetricNames.closes, ("reason", $0.word)) }
        self.denials = Dictionary(
            uniqueKeysWithValues: ReasonCode.allCases.filter(\.isDenial).map {
                ($0, counter(MetricNames.denials, ("reason", $0.word)))
            })
        self.bytesUp = counter(MetricNames.bytes, ("direction", "up"))
        self.bytesDown = counter(MetricNames.bytes, ("direction", "down"))
        self.datagramsDropped = each(Direction.self) {
            counter(MetricNames.datagramsDropped, ("direction", $0.rawValue))
        }
        self.steps = [
            .resolve: timer(MetricNames.dns), .dial: timer(MetricNames.dial), .tls: timer(MetricNames.tls),
        ]
        self.redis = timer(MetricNames.redis)
        self.quotaRefusals = each(QuotaKind.self) { counter(MetricNames.quotaRefusals, ("limit", $0.limitName)) }
        self.bandwidthWaits = counter(MetricNames.quotaWaits, ("limit", QuotaKind.bandwidth.limitName))
        self.refusedMessages = counter(MetricNames.refusedMessages)
        self.refusalWaits = counter(MetricNames.quotaWaits, ("limit", "refusals_per_sec"))
        self.clientPauses = counter(MetricNames.readPauses, ("leg", "client"))
        self.targetPauses = counter(MetricNames.readPauses, ("leg", "target"))
        self.shadow = each(ShadowVerdict.self) { counter(MetricNames.shadow, ("outcome", $0.rawValue)) }
        self.policyReloadsOK = counter(MetricNames.policyReloads, ("outcome", "ok"))
        self.policyReloadsFailed = counter(MetricNames.policyReloads, ("outcome", "failed"))
        self.loopLag = timer(MetricNames.loopLag)
        Meter(
            label: MetricNames.buildInfo,
            dimensions: [("version", WasmnetVersion.current), ("commit", WasmnetVersion.commit ?? "unknown")],
            factory: factory
        ).set(1)
    }
}

extension QuotaKind {
    /// Its key in the policy.
    var limitName: String {
        switch self {
        case .sessions: "max_sessions"
        case .sockets: "max_connections"
        case .connectRate: "connects_per_sec"
        case .resolveRate: "resolves_per_sec"
        case .bandwidth: "max_bandwidth_mbps"
        case .dayBytes: "bytes_per_day"
        case .unanswered: "unanswered"
        }
    }
}
