/// The labels of one series, sorted by name, rendered once as they appear in the exposition.
///
/// A label's name matches `[a-zA-Z_][a-zA-Z0-9_]*` and does not begin with `__` (Prometheus data model). Its value is any text;
/// an empty one is the same as no label, so it is omitted.
struct LabelSet: Sendable, Hashable, Comparable {
    /// `a="1",b="2"`, without braces; empty if there is no label.
    let text: [UInt8]
    /// The same, by name.
    let values: [String: String]

    /// - Parameter reserved: a name that the metric itself uses, such as a histogram's `le`.
    /// - Returns: nil if a name is not legal, reserved, or repeated.
    init?(_ labels: [(String, String)], reserved: String? = nil) {
        var named: [(name: String, value: String)] = []
        for (label, value) in labels {
            guard MetricName.isValid(label), !label.contains(":"), !label.hasPrefix("__"), label != reserved else {
                return nil
            }
            named.append((label, value))
        }
        named.sort { Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8)) }
        for (label, next) in zip(named, named.dropFirst()) where label.name == next.name { return nil }
        var text: [UInt8] = []
        for (name, value) in named where !value.isEmpty {
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            text.append(contentsOf: name.utf8)
            text.append(contentsOf: #"=""#.utf8)
            text.append(escaped: value, quotes: true)
            text.append(UInt8(ascii: "\""))
        }
        self.text = text
        self.values = Dictionary(uniqueKeysWithValues: named.filter { !$0.value.isEmpty }.map { ($0.name, $0.value) })
    }

    static func < (left: Self, right: Self) -> Bool { left.text.lexicographicallyPrecedes(right.text) }
}

extension [UInt8] {
    /// Backslash and line feed are escaped in help texts and values, the quote if the format requires it.
    mutating func append(escaped text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): self.append(contentsOf: #"\\"#.utf8)
            case UInt8(ascii: "\n"): self.append(contentsOf: #"\n"#.utf8)
            case UInt8(ascii: "\"") where quotes: self.append(contentsOf: #"\""#.utf8)
            default: self.append(byte)
            }
        }
    }
}
