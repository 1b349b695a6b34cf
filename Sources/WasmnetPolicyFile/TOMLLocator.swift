import WasmnetNet

/// Finds the line of a key, or of one element of its array, in TOML text: TOMLKit reports lines only for syntax errors.
struct TOMLLocator {
    private let lines: [ByteText]

    init(_ text: ByteText) {
        self.lines = text.lines
    }

    /// The line (from 1) of `table.key`, or of the table itself; 1 when it is not found.
    func line(table: String, key: String?, element: Int? = nil) -> Int {
        let table = ByteText(table)
        var current: ByteText = ""
        for (index, line) in self.lines.enumerated() {
            let code = line.trimmed
            if let header = code.dropping(prefix: "[") {
                current = header.before("]").without(" ").without("\"")
                if key == nil, current == table { return index + 1 }
            } else if let key {
                guard let (name, _) = code.cut(at: "=") else { continue }
                let written = name.trimmed.without("\"")
                let isIt =
                    (current == table && written == ByteText(key))
                    || (current.isEmpty && written == ByteText("\(table.text).\(key)"))
                guard isIt else { continue }
                return element.map { self.line(ofElement: $0, from: index) } ?? index + 1
            }
        }
        return 1
    }

    /// Counts elements by the quotes that open them, comments aside.
    private func line(ofElement wanted: Int, from start: Int) -> Int {
        var count = -1
        var quote: UInt8?
        for index in start..<self.lines.count {
            let line = self.lines[index]
            let code = index == start ? line.cut(at: "=")?.after ?? line : line
            for byte in code.bytes {
                if let open = quote {
                    if byte == open { quote = nil }
                } else if byte == UInt8(ascii: "#") {
                    break
                } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                    quote = byte
                    count += 1
                    if count == wanted { return index + 1 }
                } else if byte == UInt8(ascii: "]") {
                    return index + 1
                }
            }
            quote = nil
        }
        return start + 1
    }
}
