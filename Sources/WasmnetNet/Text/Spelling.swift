/// Suggestions for a misspelt name.
package enum Spelling {
    /// The nearest name; nil if none is near.
    package static func nearest(to written: String, among names: [String]) -> String? {
        let most = min(3, written.count / 2)
        return names.map { (name: $0, distance: self.distance(written, $0)) }.filter { $0.distance <= most }
            .min { $0.distance < $1.distance }?.name
    }

    /// The Levenshtein distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var row = Array(0...right.count)
        for (i, a) in left.enumerated() {
            var previous = row[0]
            row[0] = i + 1
            for (j, b) in right.enumerated() {
                let cost = a == b ? previous : min(previous, row[j], row[j + 1]) + 1
                previous = row[j + 1]
                row[j + 1] = cost
            }
        }
        return row[right.count]
    }
}
