import NIOCore

extension RelaySettings {
    /// Ranges of single settings. Every other number is 0 to 2^30, every other time 0 to a day.
    private static let counts: [String: ClosedRange<Int>] = [
        "maxMessageBytes": 1...1 << 30, "firstWindowBytes": 1...1 << 30, "readChunkBytes": 1...1 << 30,
        "readTurnBytes": 1...1 << 30, "carrierReadChunkBytes": 1...1 << 30, "maxDatagramBytes": 1...65_507,
        "missedHeartbeats": 1...1000, "maxAddressesPerName": 1...1000, "acceptsPerTurn": 1...1 << 30,
    ]
    private static let times: [String: ClosedRange<Int64>] = [
        "heartbeat": 1_000_000...86_400_000_000_000, "inputTurn": 1...1_000_000_000,
    ]

    /// Out-of-range settings, one entry each, with the range; times in nanoseconds. By reflection, so that no setting is missed.
    package var problems: [String] {
        Mirror(reflecting: self).children.compactMap { name, value in
            guard let name else { return nil }
            switch value {
            case let count as Int: return Self.problem(name, count, Self.counts[name] ?? 0...1 << 30)
            case let time as TimeAmount:
                return Self.problem(name, time.nanoseconds, Self.times[name] ?? 0...86_400_000_000_000)
            default: return nil
            }
        }
    }

    private static func problem<Number: Comparable>(
        _ name: String, _ value: Number, _ range: ClosedRange<Number>
    ) -> String? {
        range.contains(value) ? nil : "\(name) is \(range.lowerBound) to \(range.upperBound), not \(value)"
    }
}
