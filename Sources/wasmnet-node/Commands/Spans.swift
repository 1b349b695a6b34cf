import ArgumentParser
import Foundation
import Wasmnet
import WasmnetNet

/// A time span as people write it: `90s`, `30m`, `24h`, `7d`. One beyond any clock is ``longest``, which every option refuses.
struct TimeSpan: ExpressibleByArgument, Equatable {
    /// At most that of ``longest``, so that its microseconds fit too.
    let seconds: Int64
    /// As written, if it was.
    private var written: String?

    /// About 292,000 years.
    static let longest = TimeSpan(seconds: .max)
    /// The longest time for an entry of the denylist: a century, as in the admin API.
    static let century = TimeSpan(seconds: 36_525 * 86_400)
    static let leapYear = TimeSpan(seconds: 366 * 86_400)

    private static let units: [(String, Int64)] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)]

    init(seconds: Int64) {
        self.seconds = min(seconds, .max / 1_000_000)
    }

    init?(argument: String) {
        guard let unit = Self.units.first(where: { argument.utf8.last == $0.0.utf8.first }) else { return nil }
        let number = argument.utf8.dropLast()
        let isNegative = number.first == UInt8(ascii: "-")
        let digits = isNegative ? number.dropFirst() : number
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let (seconds, overflow) = (Int64(Substring(digits)) ?? .max).multipliedReportingOverflow(by: unit.1)
        // All negative times are equally out of range.
        self.init(seconds: isNegative ? -1 : overflow ? .max : seconds)
        self.written = argument
    }

    /// Checks an option's value against its range.
    func checked(_ option: String, atMost most: TimeSpan) throws -> TimeSpan {
        guard self.seconds >= 1, self.seconds <= most.seconds else {
            throw ConfigurationError("\(option) is 1s to \(most.text), not \(self.written?.shown() ?? self.text)")
        }
        return self
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

/// Moments as in RFC 3339, in UTC.
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
        Terminal.say(String(decoding: try encoder.encode(value), as: UTF8.self))
    }
}
