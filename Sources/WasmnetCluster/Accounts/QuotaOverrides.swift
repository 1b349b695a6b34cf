package import WasmnetQuota

/// Limits of one client that an operator set in place of the policy's. Nil: the policy's.
package struct QuotaOverrides: Sendable, Equatable {
    package var maxSessions: Int?
    package var maxSockets: Int?
    package var connects: GCRA.Pace?
    package var resolves: GCRA.Pace?
    package var bandwidth: TokenBucket.Rate?
    package var bytesPerDay: UInt64?

    package init() {}

    package var isEmpty: Bool { self == QuotaOverrides() }

    /// The largest number that a script of Redis can hold.
    package static let largest = UInt64(1) << 53

    /// As they are kept: names and values.
    var fields: [(String, Int64)] {
        var fields: [(String, Int64)] = []
        func add(_ name: String, _ value: Int64?) { if let value { fields.append((name, value)) } }
        add("max_sessions", self.maxSessions.map(Int64.init))
        add("max_connections", self.maxSockets.map(Int64.init))
        add("connects_interval", self.connects?.interval)
        add("connects_burst", self.connects?.burst)
        add("resolves_interval", self.resolves?.interval)
        add("resolves_burst", self.resolves?.burst)
        add("bytes_per_second", self.bandwidth?.bytesPerSecond)
        add("byte_burst", self.bandwidth?.burst)
        add("bytes_per_day", self.bytesPerDay.map { Int64(min($0, Self.largest)) })
        return fields
    }

    /// Reads a hash; what it does not know, or what is out of range, it leaves out.
    init(fields: [String: String]) {
        func number(_ name: String) -> Int64? {
            fields[name].flatMap(Int64.init).flatMap { (1...Int64(Self.largest)).contains($0) ? $0 : nil }
        }
        func pace(_ name: String) -> GCRA.Pace? {
            guard let interval = number("\(name)_interval"), let burst = number("\(name)_burst") else { return nil }
            return GCRA.Pace(interval: interval, burst: burst)
        }
        self.maxSessions = number("max_sessions").map(Int.init)
        self.maxSockets = number("max_connections").map(Int.init)
        self.connects = pace("connects")
        self.resolves = pace("resolves")
        if let rate = number("bytes_per_second"), let burst = number("byte_burst") {
            self.bandwidth = TokenBucket.Rate(bytesPerSecond: Double(rate), burst: Int(burst))
        }
        self.bytesPerDay = number("bytes_per_day").map(UInt64.init)
    }
}
