import WasmnetText

/// How much one client may use, in the whole cluster. 0 is unlimited everywhere but in the time of a dial.
///
/// A ``Policy`` brings what is out of its range to the nearest number in it, and to the default what is no number.
public struct ClientLimits: Sendable, Hashable {
    /// Open sockets, 0 to 1,000,000. Default 50.
    public var maxConnections = 50
    /// WebSockets, 0 to 1,000,000. Default unlimited.
    public var maxSessions = 0
    /// WebSockets that a client opens a second, on each node, 0 to 1,000,000. 0 is unlimited. Default 100.
    public var sessionsPerSecond = 100.0
    /// WebSockets opened at once after a quiet time, 0 to 1,000,000; 0 means twice a second's. Default 500.
    public var sessionBurst = 500
    /// Sockets that a client opens or binds a second; those that come in are not counted. 0 to 1,000,000. Default unlimited.
    public var connectsPerSecond = 0.0
    /// Connects at once after a quiet time, 0 to 1,000,000; 0 means twice a second's.
    public var connectBurst = 0
    /// Look-ups a second, 0 to 1,000,000. Default unlimited.
    public var resolvesPerSecond = 0.0
    /// Look-ups at once after a quiet time, 0 to 1,000,000; 0 means twice a second's.
    public var resolveBurst = 0
    /// Bits (not bytes) a second, both ways together, 0 to 10^12. Default unlimited.
    public var maxBandwidthBitsPerSecond = 0.0
    /// Bytes in both directions from midnight to midnight, UTC, 0 to 2^53. Default unlimited.
    public var bytesPerDay: UInt64 = 0
    /// Messages a second that come to nothing (denied, refused, malformed, empty) and WebSocket pings, on each node. Above it the
    /// client's WebSockets are not read for a while; nothing is refused. 0 is unlimited. Default 100.
    public var refusalsPerSecond = 100.0
    /// Such messages at once after a quiet time; 0 means twice a second's.
    public var refusalBurst = 0
    /// Seconds without a byte after which a socket ends, 0 to 31,536,000 (a year). Default unlimited.
    public var idleTimeoutSeconds = 0.0
    /// Seconds a dial may take, TLS included, 0.1 to 3600. Default 30.
    public var connectionTimeoutSeconds = 30.0

    /// The defaults.
    public init() {}
}

/// Who a client is, and who may come.
public struct ClientsPolicy: Sendable, Hashable {
    /// What tells one client from another.
    public enum Identity: String, Sendable, CaseIterable {
        /// IPv4 by /32, IPv6 by /64.
        case address
        case token
    }

    /// Default by address.
    public var identifyBy = Identity.address
    /// Networks whose X-Forwarded-For or PROXY header is believed.
    public var trustedProxies: [Prefix] = []
    /// Origins that may open sessions; none listed means any.
    public var allowedOrigins: [String] = []
    /// Whether a client without a token is refused. Default false.
    public var requireToken = false

    /// The defaults: a client is an address, and any origin may come.
    public init() {}
}

/// Ports, as ranges in order.
public struct PortSet: Sendable, Hashable {
    /// In order, and no two of them overlap.
    public let ranges: [ClosedRange<UInt16>]

    /// The ports of these ranges, which may overlap.
    public init(_ ranges: [ClosedRange<UInt16>]) {
        var merged: [ClosedRange<UInt16>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = merged.last, range.lowerBound <= last.upperBound {
                merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
            } else {
                merged.append(range)
            }
        }
        self.ranges = merged
    }

    /// Reads `3000-9999` or `3000,8080,9090-9099`; empty text is no port.
    public init(_ text: String) throws(DestinationError) {
        var ranges: [ClosedRange<UInt16>] = []
        for part in ByteText(text).list() {
            let ends = part.split(at: "-").map(\.trimmed)
            guard (1...2).contains(ends.count), let first = ends[0].decimal(as: UInt16.self),
                let last = ends[ends.count - 1].decimal(as: UInt16.self), first > 0
            else { throw DestinationError("\"\(part.text)\" is no port or range of ports from 1 to 65535") }
            guard first <= last else { throw DestinationError("the range \(part.text) is empty") }
            ranges.append(first...last)
        }
        self.init(ranges)
    }

    /// Whether the port is in one of the ranges.
    public func contains(_ port: UInt16) -> Bool { self.ranges.contains { $0.contains(port) } }
    /// Whether there is no port at all.
    public var isEmpty: Bool { self.ranges.isEmpty }
    package var count: Int { self.ranges.reduce(0) { $0 + $1.count } }

    /// The port with so many others below it; nil beyond the last.
    func port(at index: Int) -> UInt16? {
        var index = index
        for range in self.ranges {
            if index < range.count { return range.lowerBound + UInt16(index) }
            index -= range.count
        }
        return nil
    }
}
