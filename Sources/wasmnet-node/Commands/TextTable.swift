import WasmnetNet

/// Rows under a heading, each column as wide as its widest cell. A cell's content cannot control the terminal.
struct TextTable {
    enum Alignment { case left, right }

    private let alignments: [Alignment]
    private var rows: [[String]]

    /// - Parameter columns: names, and the alignment of their cells.
    init(_ columns: [(name: String, alignment: Alignment)]) {
        self.alignments = columns.map(\.alignment)
        self.rows = [columns.map(\.name)]
    }

    /// Adds a row with one cell for each column.
    mutating func add(_ row: [String]) { self.rows.append(row.map { $0.shown(upTo: nil) }) }

    /// The lines, without trailing spaces.
    var text: String {
        let widths = self.alignments.indices.map { column in self.rows.map { $0[column].count }.max() ?? 0 }
        return self.rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: widths[column] - cell.count)
                return self.alignments[column] == .left ? cell + space : space + cell
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }
}
