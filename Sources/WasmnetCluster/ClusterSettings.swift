package import WasmnetPolicy
package import WasmnetQuota
import WasmnetNet

/// How a node takes part in shared quotas.
package struct ClusterSettings: Sendable {
    /// 96 random bits: this process, in epochs and in the registry.
    package var nodeID: String
    /// How long a node's leases count after its last heartbeat was sent. Default 15 s; heartbeats are sent three times as often.
    package var timeToLive = QuotaDuration.seconds(15)
    package var modes = OutageModes()
    /// How long rates and bandwidth wait for an answer before they use the outage budget. Default 50 ms.
    package var answerTime = QuotaDuration.milliseconds(50)
    /// How long a slot waits for an answer before it is refused. Default 1 s.
    package var slotWait = QuotaDuration.seconds(1)
    /// How long Redis is silent before it is an outage. Default 5 s.
    package var outageTime = QuotaDuration.seconds(5)
    /// How many requests may wait for answers at once, per client and in all. Default 64 and 4,096.
    package var maxWaiting = (client: 64, node: 4096)
    /// Whether scripts use the node's clock, for servers that refuse TIME in scripts.
    package var usesOwnClock = false
    package var clock: @Sendable () -> QuotaInstant
    private let epochs = Epochs()

    package init(nodeID: String = ClusterSettings.randomID(), clock: @escaping @Sendable () -> QuotaInstant) {
        self.nodeID = nodeID
        self.clock = clock
    }

    /// How long nothing grows after a loss: longer than any lease that was valid at the time.
    var hold: QuotaDuration { .microseconds(self.timeToLive.microseconds + 1_000_000) }

    var heartbeat: QuotaDuration { .microseconds(self.timeToLive.microseconds / 3) }

    /// How long a node relies on its own leases, from when it asked: less than ``timeToLive``, so it stops before Redis forgets it.
    var leaseTime: QuotaDuration { .microseconds(self.timeToLive.microseconds / 30 * 29) }

    /// A number that this process has never used, from 1.
    func makeEpoch() -> UInt64 { self.epochs.next() }

    func name(ofEpoch number: UInt64) -> String { "\(self.nodeID).\(number)" }

    /// The node of an epoch.
    package static func node(ofEpoch epoch: some StringProtocol) -> String {
        ByteText(epoch).before(".").text
    }

    /// 96 random bits in hexadecimal.
    package static func randomID() -> String {
        (0..<3).map { _ in
            let digits = String(UInt32.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }
}

/// Numbers the epochs of a process.
private final class Epochs: Sendable {
    private let last = Guarded<UInt64>(0)

    func next() -> UInt64 {
        self.last.withLock { last in
            last += 1
            return last
        }
    }
}
