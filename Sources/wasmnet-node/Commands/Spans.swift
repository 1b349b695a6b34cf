import ArgumentParser
import Foundation

/// A span of time as people write it: `90s`, `30m`, `24h`, `7d`.
struct TimeSpan: ExpressibleByArgument, Equatable {
    var seconds: Int64

    private static let units: [(Character, Int64)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]

    init(seconds: Int64) {
        self.seconds = seconds
    }

    init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.last == $0.0 }), let count = Int64(argument.dropLast()),
            count > 0
        else { return nil }
        let (seconds, overflow) = count.multipliedReportingOverflow(by: unit.1)
        guard !overflow else { return nil }
        self.seconds = seconds
    }

    var defaultValueDescription: String { self.text }

    /// The two largest units: `2d 3h`, `45s`.
    var text: String {
        guard let first = Self.units.firstIndex(where: { self.seconds >= $0.1 }) else { return "0s" }
        let (whole, rest) = self.seconds.quotientAndRemainder(dividingBy: Self.units[first].1)
        let large = "\(whole)\(Self.units[first].0)"
        guard first + 1 < Self.units.count, rest >= Self.units[first + 1].1 else { return large }
        return "\(large) \(rest / Self.units[first + 1].1)\(Self.units[first + 1].0)"
    }
}

/// Points of time as RFC 3339 has them, in UTC.
enum Timestamp {
    static func text(milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds / 1000)).formatted(.iso8601)
    }
}

/// JSON as all commands print it.
enum JSONOutput {
    static func print(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        Swift.print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
