import WasmnetNet
import CoreMetrics
import NIOCore
import PrometheusMetrics
import Synchronization
import WasmnetCluster
import WasmnetPolicy
import WasmnetQuota
import WasmnetRelay

/// Samples once a second what is not counted as it happens: a scrape needs no other query, and every backend of swift-metrics gets it.
final class MetricsSampler: Sendable {
    /// Where the numbers come from.
    struct Sources: Sendable {
        var denylist: DenylistService
        var policy: PolicyReloader
        var admissions: AdmissionCounters
        var pending: PendingConnections
        var isDraining: @Sendable () -> Bool
        var accessLog: AccessLog
        /// Nil without Redis.
        var member: ClusterMember?
    }

    private static let interval = Duration.seconds(1)
    private let sources: Sources
    private let denylistVersion, denylistEntries, denylistAge, policyGeneration, policyStale, draining, pending: Meter
    private let untrustedHeaders, pendingDropped: Counter
    private let denylistMends: [(mend: DenylistMend, counter: Counter)]
    private let cluster: ClusterMeters?
    private let counted: Guarded<Counted>

    private struct ClusterMeters: Sendable {
        let available, evicts, nodes, slotsGranted, slotsUsed, slotsLoose, rollCall, rollCallTime, outage: Meter
        let calls, errors, local, waited, fences, losses, excess, grantedBytes: Counter
    }

    /// Totals as last reported.
    private struct Counted {
        var values: [String: Int] = [:]

        /// The increase since the last call.
        mutating func step(_ name: String, _ total: Int) -> Int {
            defer { self.values[name] = total }
            return max(0, total - (self.values[name] ?? 0))
        }
    }

    init(_ sources: Sources, factory: any MetricsFactory) {
        func meter(_ name: String, _ labels: (String, String)...) -> Meter {
            Meter(label: name, dimensions: labels, factory: factory)
        }
        func counter(_ name: String, _ labels: (String, String)...) -> Counter {
            Counter(label: name, dimensions: labels, factory: factory)
        }
        self.sources = sources
        self.denylistVersion = meter(MetricNames.denylistVersion)
        self.denylistEntries = meter(MetricNames.denylistEntries)
        self.denylistAge = meter(MetricNames.denylistAge)
        self.denylistMends = DenylistMend.allCases.map {
            ($0, counter(MetricNames.denylistMends, ("kind", $0.rawValue)))
        }
        self.policyGeneration = meter(MetricNames.policyGeneration)
        self.policyStale = meter(MetricNames.policyStale)
        self.draining = meter(MetricNames.draining)
        self.pending = meter(MetricNames.pendingConnections)
        self.pendingDropped = counter(MetricNames.pendingDropped)
        self.untrustedHeaders = counter(MetricNames.untrustedHeaders)
        self.cluster = sources.member.map { _ in
            ClusterMeters(
                available: meter(MetricNames.redisAvailable), evicts: meter(MetricNames.redisEvicts),
                nodes: meter(MetricNames.clusterNodes),
                slotsGranted: meter(MetricNames.leaseSlots, ("state", "granted")),
                slotsUsed: meter(MetricNames.leaseSlots, ("state", "used")),
                slotsLoose: meter(MetricNames.leaseSlots, ("state", "loose")), rollCall: meter(MetricNames.rollCall),
                rollCallTime: meter(MetricNames.rollCallTime), outage: meter(MetricNames.redisOutage),
                calls: counter(MetricNames.redisCalls),
                errors: counter(MetricNames.redisErrors),
                local: counter(MetricNames.reservations, ("answer", "local")),
                waited: counter(MetricNames.reservations, ("answer", "waited")),
                fences: counter(MetricNames.fences), losses: counter(MetricNames.losses),
                excess: counter(MetricNames.excess),
                grantedBytes: counter(MetricNames.grantedBytes))
        }
        self.counted = Guarded(Counted())
        self.sample()
    }

    /// Samples until its task is cancelled.
    func run() async {
        while (try? await Task.sleep(for: Self.interval)) != nil {
            self.sample()
            self.sources.accessLog.reportLeftOut()
        }
    }

    private func sample() {
        let list = self.sources.denylist.inForce.list
        self.denylistVersion.set(list.version)
        self.denylistEntries.set(list.count)
        self.denylistAge.set(Self.seconds(self.sources.denylist.inForce.age))
        let policy = self.sources.policy.status
        self.policyGeneration.set(Double(policy.generation))
        self.policyStale.set(policy.lastError == nil ? 0 : 1)
        self.draining.set(self.sources.isDraining() ? 1 : 0)
        self.pending.set(self.sources.pending.count)
        self.counted.withLock { counted in
            self.pendingDropped.increment(by: counted.step("pending", self.sources.pending.dropped))
            let headers =
                self.sources.admissions.total(.untrustedProxyHeader)
                + self.sources.admissions.total(.untrustedForwarding)
            self.untrustedHeaders.increment(by: counted.step("headers", Int(clamping: headers)))
            for (mend, counter) in self.denylistMends {
                let total = self.sources.denylist.inForce.count(of: mend)
                counter.increment(by: counted.step(mend.rawValue, total))
            }
            if let member = self.sources.member, let meters = self.cluster { Self.sample(member, meters, &counted) }
        }
    }

    private static func sample(_ member: ClusterMember, _ meters: ClusterMeters, _ counted: inout Counted) {
        let ledger = member.ledger
        meters.available.set(ledger.outages == 0 && member.isConnected ? 1 : 0)
        meters.evicts.set(member.evicts ? 1 : 0)
        meters.nodes.set(ledger.nodeCount)
        let slots = ledger.socketSlots
        meters.slotsGranted.set(slots.granted)
        meters.slotsLoose.set(slots.loose)
        meters.slotsUsed.set(ledger.counts.sockets)
        let counters = ledger.counters
        meters.calls.increment(by: counted.step("calls", counters.calls.load(ordering: .relaxed)))
        meters.errors.increment(by: counted.step("errors", counters.failures.load(ordering: .relaxed)))
        meters.local.increment(by: counted.step("local", counters.local.load(ordering: .relaxed)))
        meters.waited.increment(by: counted.step("waited", counters.waited.load(ordering: .relaxed)))
        meters.fences.increment(by: counted.step("fences", counters.fences.load(ordering: .relaxed)))
        meters.losses.increment(by: counted.step("losses", ledger.losses))
        meters.excess.increment(by: counted.step("excess", counters.excess.load(ordering: .relaxed)))
        meters.rollCall.set(ledger.rollCalls)
        meters.rollCallTime.set(Double(ledger.rollCallTime.microseconds) / 1e6)
        meters.outage.set(Double(member.outage?.seconds ?? 0))
        meters.grantedBytes.increment(by: counted.step("bytes", counters.grantedBytes.load(ordering: .relaxed)))
    }

    /// -1 before it was ever read.
    private static func seconds(_ time: TimeAmount?) -> Double { time.map { Double($0.nanoseconds) / 1e9 } ?? -1 }
}
