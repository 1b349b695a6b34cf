import WasmnetNet
import WasmnetPolicy
import WasmnetRelay

/// How many wrong tokens one address may send: after ``burst`` at once, ``perSecond`` a second; IPv6 by its /64. A value; the time is
/// passed in.
struct FailureLimit {
    static let perSecond = 20.0
    static let burst = 100.0
    /// The most addresses remembered. Beyond that, the half with the fewest failures is dropped.
    static let maxAddresses = 8192

    private struct Debt {
        /// Failures not forgiven yet, at that time.
        var failures: Double
        /// Monotonic nanoseconds.
        var at: Int64

        func left(at now: Int64) -> Double {
            max(0, self.failures - Double(max(0, now - self.at)) / 1e9 * FailureLimit.perSecond)
        }
    }

    /// By address; nil for clients without one.
    private var debts: [IPAddress?: Debt] = [:]

    var count: Int { self.debts.count }

    /// Whether the next token of this address is rejected unexamined.
    func isReached(by address: IPAddress?, now: Int64) -> Bool {
        guard let debt = self.debts[Self.key(address)] else { return false }
        return debt.left(at: now) > Self.burst - 1
    }

    /// A token of this address was wrong.
    mutating func count(_ address: IPAddress?, now: Int64) {
        let key = Self.key(address)
        if self.debts[key] == nil, self.debts.count >= Self.maxAddresses { self.forget(now) }
        let left = self.debts[key]?.left(at: now) ?? 0
        self.debts[key] = Debt(failures: min(left + 1, Self.burst), at: now)
    }

    private mutating func forget(_ now: Int64) {
        let kept = self.debts.map { (key: $0.key, left: $0.value.left(at: now)) }.filter { $0.left > 0 }
            .sorted { $0.left > $1.left }.prefix(Self.maxAddresses / 2)
        self.debts = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, Debt(failures: $0.left, at: now)) })
    }

    private static func key(_ address: IPAddress?) -> IPAddress? {
        address?.withoutV4Mapping.masked(to: address?.withoutV4Mapping.isIPv4 == true ? 32 : 64)
    }
}

/// One ``FailureLimit`` for all event loops.
final class FailureGate: Sendable {
    private let limit = Guarded(FailureLimit())
    private let uptime: @Sendable () -> Int64

    /// - Parameter uptime: monotonic nanoseconds.
    init(uptime: @escaping @Sendable () -> Int64) {
        self.uptime = uptime
    }

    func isShut(to address: IPAddress?) -> Bool {
        let now = self.uptime()
        return self.limit.withLock { $0.isReached(by: address, now: now) }
    }

    func failed(_ address: IPAddress?) {
        let now = self.uptime()
        self.limit.withLock { $0.count(address, now: now) }
    }
}
