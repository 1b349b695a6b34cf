import NIOCore
import Synchronization
import WasmnetNet
import WasmnetPolicy
import WasmnetQuota
import WasmnetTesting

@testable import WasmnetRelay

extension SeededRandom {
    mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in UInt8(truncatingIfNeeded: self.next()) } }
}

/// Bytes of the day that a client may have now; more arrive when the test says so, as from a cluster.
final class Ration: Sendable {
    private let left: Atomic<Int>

    init(_ left: Int) {
        self.left = Atomic(left)
    }

    func add(_ bytes: Int) { self.left.wrappingAdd(bytes, ordering: .relaxed) }

    fileprivate func draw(_ bytes: Int) -> Int {
        let drawn = min(bytes, self.left.load(ordering: .relaxed))
        self.left.wrappingSubtract(drawn, ordering: .relaxed)
        return drawn
    }
}

/// An allowance that forwards to another, except for the parts that a test holds back. Nothing is charged, and the day has no end.
protocol WrappedAllowance: ClientAllowance {
    var base: any ClientAllowance { get }
}

extension WrappedAllowance {
    var client: ClientID { self.base.client }
    var onNode: NodeLimits { self.base.onNode }
    var readQuantum: Int { self.base.readQuantum }

    func reserve(
        _ what: Reservation, now: QuotaInstant, later: @escaping @Sendable (Result<QuotaSlot?, QuotaRefusal>) -> Void
    ) -> Result<QuotaSlot?, QuotaRefusal>? {
        self.base.reserve(what, now: now, later: later)
    }

    func draw(bytes: Int, now: QuotaInstant) -> Int { self.base.draw(bytes: bytes, now: now) }
    func charge(bytes: Int, now: QuotaInstant) {}
    func charge(overhead bytes: Int, now: QuotaInstant) {}
    func pause(now: QuotaInstant) -> QuotaInstant? { nil }
    func dayBytesExhausted(now: QuotaInstant) -> QuotaRefusal? { nil }
    func apply(limits: ClientLimits) { self.base.apply(limits: limits) }
    func usage(now: QuotaInstant) -> QuotaUsage { self.base.usage(now: now) }
}

/// An allowance whose bytes are rationed.
final class RationedAllowance: WrappedAllowance {
    let base: any ClientAllowance
    private let ration: Ration

    init(_ base: any ClientAllowance, _ ration: Ration) {
        self.base = base
        self.ration = ration
    }

    func draw(bytes: Int, now: QuotaInstant) -> Int { self.ration.draw(bytes) }
}

extension IPAddress {
    /// 198.51.100.n (TEST-NET-2, RFC 5737).
    static func four(_ n: UInt8) -> IPAddress { IPAddress(v4: (198, 51, 100, n)) }
    /// 2001:db8::n (RFC 3849).
    static func six(_ n: UInt64) -> IPAddress { IPAddress(v6: 0x2001_0db8_0000_0000, low: n) }
}
