/// The three shapes of metric this backend exposes.
package enum MetricKind: String, Sendable, CaseIterable {
    case counter
    case gauge
    case histogram
}

/// The name of a metric, as OpenMetrics calls its family: a counter's without `_total`.
///
/// A name matches `[a-zA-Z_:][a-zA-Z0-9_:]*` (Prometheus data model).
struct MetricName: Sendable, Hashable {
    let family: String
    let kind: MetricKind

    /// - Parameter text: as exposed; a counter's with or without `_total`.
    /// - Returns: nil if it is not a legal name.
    init?(_ text: String, kind: MetricKind) {
        guard Self.isValid(text) else { return nil }
        if kind == .counter, text.hasSuffix(Self.total) {
            guard text.utf8.count > Self.total.utf8.count else { return nil }
            self.family = String(text.dropLast(Self.total.count))
        } else {
            self.family = text
        }
        self.kind = kind
    }

    private static let total = "_total"

    /// The name of a counter's or a gauge's samples.
    var sample: String { self.kind == .counter ? self.family + Self.total : self.family }

    /// Every name that no other metric may use, for either format.
    var reserved: [String] {
        switch self.kind {
        case .gauge: [self.family]
        case .counter: [self.family, self.family + Self.total, self.family + "_created"]
        case .histogram: [self.family] + ["_bucket", "_sum", "_count", "_created"].map { self.family + $0 }
        }
    }

    static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, !isDigit(first) else { return false }
        return text.utf8.allSatisfy { isNameByte($0) || $0 == UInt8(ascii: ":") }
    }
}

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

/// A letter, a digit or `_`: the characters of metric and label names.
func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
    default: isDigit(byte)
    }
}
