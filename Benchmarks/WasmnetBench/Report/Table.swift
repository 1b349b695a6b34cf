/// A text table whose columns fit their content; the first is aligned left, the others right.
struct Table {
    var header: [String]
    var rows: [[String]] = []

    var text: String {
        let widths = self.header.indices.map { column in
            ([self.header] + self.rows).map { $0[column].count }.max() ?? 0
        }
        let lines = ([self.header] + self.rows).map { row in
            row.indices.map { column in
                let gap = String(repeating: " ", count: widths[column] - row[column].count)
                return column == 0 ? row[column] + gap : gap + row[column]
            }.joined(separator: "  ")
        }
        return lines.joined(separator: "\n")
    }
}

/// A figure with three significant digits.
func format(_ value: Double?) -> String {
    guard let value else { return "-" }
    let size = abs(value)
    let decimals = size >= 100 ? 0 : size >= 10 ? 1 : 2
    var scaled = value
    for _ in 0..<decimals { scaled *= 10 }
    let rounded = Int(scaled.rounded())
    guard decimals > 0 else { return String(rounded) }
    let unit = decimals == 1 ? 10 : 100
    let fraction = String(rounded.magnitude % UInt(unit))
    return (rounded < 0 ? "-" : "") + "\(rounded.magnitude / UInt(unit))."
        + String(repeating: "0", count: decimals - fraction.count) + fraction
}

func median(_ values: [Double]) -> Double? {
    guard !values.isEmpty else { return nil }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
}
