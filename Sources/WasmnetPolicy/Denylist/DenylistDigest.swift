import WasmnetNet

/// For comparing two lists: the sum of a number for each entry, modulo 2^48, so that it is cheap to update and
/// fits the numbers of Lua. It detects lists that diverged by mistake, not deliberate collisions.
package struct DenylistDigest: Hashable, Sendable, CustomStringConvertible {
    package private(set) var value: Int64

    package init(value: Int64 = 0) {
        self.value = value & Self.mask
    }

    package static let mask: Int64 = (1 << 48) - 1

    package mutating func add(_ entry: DenylistEntry) {
        self.value = (self.value &+ Self.mark(of: entry.text, reason: entry.reason) &+ Self.until(entry)) & Self.mask
    }

    package mutating func remove(_ entry: DenylistEntry) {
        self.value = (self.value &- Self.mark(of: entry.text, reason: entry.reason) &- Self.until(entry)) & Self.mask
    }

    private static func until(_ entry: DenylistEntry) -> Int64 { entry.expiry?.milliseconds ?? 0 }

    /// The number of an entry, without its expiry, which is added to it: 64-bit FNV-1a (IETF draft-eastlake-fnv) over text, a zero and
    /// the reason, with the final mixing steps of MurmurHash3 (A. Appleby) so that similar entries do not cancel out in sums.
    package static func mark(of text: String, reason: DenylistReason?) -> Int64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func take(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        for byte in text.utf8 { take(byte) }
        take(0)
        if let reason { for byte in reason.text.utf8 { take(byte) } }
        hash = (hash ^ hash >> 33) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ hash >> 33) &* 0xC4CE_B9FE_1A85_EC53
        hash ^= hash >> 33
        return Int64(truncatingIfNeeded: hash) & self.mask
    }

    /// Twelve hexadecimal digits.
    package var description: String {
        let digits = String(self.value, radix: 16)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}
