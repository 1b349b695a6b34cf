import NIOCore
import Synchronization
import WasmnetPolicy
import WasmnetQuota

@testable import WasmnetRelay

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: self.next()) }
    }
}

/// A clock that tests set: nanoseconds since an arbitrary start.
final class TestClock: RelayClock {
    private let nanoseconds = Atomic<Int64>(1_000_000_000)

    func uptimeNanoseconds() -> Int64 { self.nanoseconds.load(ordering: .relaxed) }
    func now() -> QuotaInstant { QuotaInstant(microseconds: self.uptimeNanoseconds() / 1000) }
    func advance(_ by: TimeAmount) { self.nanoseconds.wrappingAdd(by.nanoseconds, ordering: .relaxed) }
}

extension IPAddress {
    /// 198.51.100.n (TEST-NET-2, RFC 5737).
    static func four(_ n: UInt8) -> IPAddress { IPAddress(v4: (198, 51, 100, n)) }
    /// 2001:db8::n (RFC 3849).
    static func six(_ n: UInt64) -> IPAddress { IPAddress(v6: 0x2001_0db8_0000_0000, low: n) }
}
