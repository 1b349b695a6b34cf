/// A moment, in milliseconds since the Unix epoch.
package struct UnixTime: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// A number from outside, brought between the epoch and ``last``.
    package init(secondsSinceEpoch seconds: Double) {
        self.milliseconds = min(max(0, Int64(saturating: seconds * 1000)), Self.last.milliseconds)
    }

    package static func < (left: UnixTime, right: UnixTime) -> Bool { left.milliseconds < right.milliseconds }

    /// Later by so many milliseconds, at most the end of what the type can tell.
    package func adding(milliseconds: Int64) -> UnixTime {
        let (sum, overflows) = self.milliseconds.addingReportingOverflow(milliseconds)
        return UnixTime(milliseconds: overflows ? (milliseconds < 0 ? .min : .max) : sum)
    }

    /// The last moment that has a text: the end of the year 9999.
    package static let last = UnixTime(milliseconds: 253_402_300_799_999)

    /// As in `2026-11-25T08:30:00Z` or `2026-11-25T08:30:00.125Z` (RFC 3339, UTC only).
    package var description: String {
        let (day, rest) = Self.split(self.milliseconds, by: 86_400_000)
        let (seconds, fraction) = Self.split(rest, by: 1000)
        let (year, month, dayOfMonth) = Self.date(day: day)
        let time = [seconds / 3600, seconds / 60 % 60, seconds % 60].map { Self.digits($0, 2) }.joined(separator: ":")
        return "\(Self.digits(year, 4))-\(Self.digits(month, 2))-\(Self.digits(dayOfMonth, 2))T\(time)"
            + (fraction == 0 ? "" : ".\(Self.digits(fraction, 3))") + "Z"
    }

    /// Reads what ``description`` writes, for the years 1970 to 9999; up to three digits of a second's fraction.
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        guard bytes.count == 20 || (22...24).contains(bytes.count), bytes.last == UInt8(ascii: "Z") else { return nil }
        for (index, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")] as [(Int, Unicode.Scalar)] {
            guard bytes[index] == UInt8(ascii: mark) else { return nil }
        }
        func number(_ range: Range<Int>) -> Int64? {
            bytes[range].reduce(Int64?.some(0)) { sum, byte in
                guard let sum, (0x30...0x39).contains(byte) else { return nil }
                return sum * 10 + Int64(byte - 0x30)
            }
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            year >= 1970, (1...12).contains(month), hour < 24, minute < 60, second < 60
        else { return nil }
        var fraction: Int64 = 0
        if bytes.count > 20 {
            guard bytes[19] == UInt8(ascii: "."), let digits = number(20..<(bytes.count - 1)) else { return nil }
            fraction = [digits * 100, digits * 10, digits][bytes.count - 22]
        }
        let days = Self.day(year: year, month: month, day: day)
        guard Self.date(day: days) == (year, month, day) else { return nil }
        self.milliseconds = ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + fraction
    }

    private static func digits(_ number: Int64, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }

    /// Rounds towards the past.
    private static func split(_ number: Int64, by unit: Int64) -> (Int64, Int64) {
        let rest = ((number % unit) + unit) % unit
        return ((number - rest) / unit, rest)
    }

    // Days and dates of the proleptic Gregorian calendar after H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013):
    // years begin in March, so that the leap day is a year's last.

    private static func day(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = self.split(month > 2 ? year : year - 1, by: 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func date(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = self.split(day + 719_468, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
