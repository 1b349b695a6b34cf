import Glibc

/// A moment, in milliseconds since the Unix epoch.
package struct UnixTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// An external number, clamped between the epoch and ``last``.
    package init(secondsSinceEpoch seconds: Double) {
        self.milliseconds = min(max(0, Int64(saturating: seconds * 1000)), Self.last.milliseconds)
    }

    package static func < (left: UnixTime, right: UnixTime) -> Bool { left.milliseconds < right.milliseconds }

    /// Later by this many milliseconds, at most the latest that the type can represent.
    package func adding(milliseconds: Int64) -> UnixTime {
        let (sum, overflows) = self.milliseconds.addingReportingOverflow(milliseconds)
        return UnixTime(milliseconds: overflows ? (milliseconds < 0 ? .min : .max) : sum)
    }

    /// The last moment that has a text: the end of the year 9999.
    package static let last = UnixTime(milliseconds: 253_402_300_799_999)

    /// As in `2026-11-25T08:30:00Z` or `2026-11-25T08:30:00.125Z` (RFC 3339, UTC only).
    package var description: String { self.text(withFraction: self.milliseconds % 1000 != 0) }

    /// The same, always with its milliseconds.
    package var preciseText: String { self.text(withFraction: true) }

    private func text(withFraction: Bool) -> String {
        let (quotient, remainder) = self.milliseconds.quotientAndRemainder(dividingBy: 1000)
        let fraction = remainder < 0 ? remainder + 1000 : remainder
        var seconds = time_t(remainder < 0 ? quotient - 1 : quotient)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let date = [(parts.tm_year + 1900, 4), (parts.tm_mon + 1, 2), (parts.tm_mday, 2)]
        let time = [(parts.tm_hour, 2), (parts.tm_min, 2), (parts.tm_sec, 2)]
        return date.map { Self.digits($0, $1) }.joined(separator: "-") + "T"
            + time.map { Self.digits($0, $1) }.joined(separator: ":")
            + (withFraction ? "." + Self.digits(Int32(fraction), 3) : "") + "Z"
    }

    /// Parses what ``description`` writes, for the years 1970 to 9999; up to three digits of a second's fraction.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 20 || (22...24).contains(bytes.count), bytes.last == UInt8(ascii: "Z") else { return nil }
        for (index, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")] as [(Int, Unicode.Scalar)] {
            guard bytes[index] == UInt8(ascii: mark) else { return nil }
        }
        func number(_ range: Range<Int>) -> Int32? {
            bytes[range].reduce(Int32?.some(0)) { sum, byte in
                guard let sum, (0x30...0x39).contains(byte) else { return nil }
                return sum * 10 + Int32(byte - 0x30)
            }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            year >= 1970, hour < 24, minute < 60, second < 60
        else { return nil }
        var fraction: Int32 = 0
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), let digits = number(20..<(bytes.count - 1)) else { return nil }
            fraction = [digits * 100, digits * 10, digits][bytes.count - 22]
        }
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (year - 1900, month - 1, day)
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (hour, minute, second)
        // It turns 30 February into 1 March: a date that it changes is not valid.
        let seconds = timegm(&parts)
        guard parts.tm_mon == month - 1, parts.tm_mday == day else { return nil }
        self.milliseconds = Int64(seconds) * 1000 + Int64(fraction)
    }

    private static func digits(_ number: Int32, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}
