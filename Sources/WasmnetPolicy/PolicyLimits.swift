public import WasmnetNet

/// Who a client is, and who is admitted.
public struct ClientsPolicy: Sendable, Hashable {
    /// What distinguishes clients.
    public enum Identity: String, Sendable, CaseIterable {
        /// IPv4 by /32, IPv6 by /64.
        case address
        case token
    }

    /// Default by address.
    public var identifyBy = Identity.address
    /// Networks whose X-Forwarded-For or PROXY header is trusted.
    public var trustedProxies: [Prefix] = []
    /// Origins that may open sessions; none listed means any.
    public var allowedOrigins: [String] = []
    /// Whether a client without a token is refused. Default false.
    public var requireToken = false

    /// The defaults: a client is an address, and any origin is allowed.
    public init() {}
}

/// Ports, as sorted ranges.
public struct PortSet: Sendable, Hashable {
    /// Sorted, without overlaps.
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

    /// Parses `3000-9999` or `3000,8080,9090-9099`; empty text means no ports.
    public init(_ text: String) throws(DestinationError) {
        var ranges: [ClosedRange<UInt16>] = []
        for part in ByteText(text).list() {
            let ends = part.split(at: "-").map(\.trimmed)
            guard (1...2).contains(ends.count), let first = ends[0].decimal(as: UInt16.self),
                let last = ends[ends.count - 1].decimal(as: UInt16.self), first > 0
            else { throw DestinationError("\"\(part.text)\" is not a port or a range of ports from 1 to 65535") }
            guard first <= last else { throw DestinationError("the range \(part.text) is empty") }
            ranges.append(first...last)
        }
        self.init(ranges)
    }

    /// Whether the port is in one of the ranges.
    public func contains(_ port: UInt16) -> Bool { self.ranges.contains { $0.contains(port) } }
    /// Whether there are no ports.
    public var isEmpty: Bool { self.ranges.isEmpty }
    package var count: Int { self.ranges.reduce(0) { $0 + $1.count } }

    /// The port with `index` others below it; nil beyond the last.
    func port(at index: Int) -> UInt16? {
        var index = index
        for range in self.ranges {
            if index < range.count { return range.lowerBound + UInt16(index) }
            index -= range.count
        }
        return nil
    }
}
