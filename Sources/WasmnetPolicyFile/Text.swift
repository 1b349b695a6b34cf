import WasmnetNet

/// Sizes as text: `500MB` (10^6), `20GiB` (2^30).
package enum ByteCount {
    private static let units: [(String, UInt64)] = [
        ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("KB", 1000), ("MB", 1_000_000),
        ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
    ]

    /// Nil for an invalid or too large size.
    package static func parse(_ text: String) -> UInt64? {
        let text = ByteText(text)
        let (name, factor) = self.units.first { text.ends(with: ByteText($0.0)) } ?? ("", 1)
        guard let number = text.dropping(suffix: ByteText(name))?.trimmed.decimal(as: UInt64.self) else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: factor)
        return overflow ? nil : bytes
    }

    /// A size for people: `1.5 GiB`, with at least three digits if rounded.
    package static func text(_ bytes: UInt64) -> String {
        let steps: [(String, UInt64)] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        guard let (name, factor) = steps.first(where: { bytes >= $0.1 }) else { return "\(bytes) B" }
        let hundredths = UInt64((Double(bytes) / Double(factor) * 100).rounded())
        let (whole, fraction) = hundredths.quotientAndRemainder(dividingBy: 100)
        let digits =
            fraction == 0 ? "" : fraction % 10 == 0 ? ".\(fraction / 10)" : ".\(fraction < 10 ? "0" : "")\(fraction)"
        return "\(whole)\(digits) \(name)"
    }
}
