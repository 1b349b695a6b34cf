/// Finds the line of a key, or of one element of its array, in TOML text: TOMLKit tells lines only for errors of syntax.
struct TOMLLocator {
    private let lines: [Substring]

    init(_ text: String) {
        self.lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The line (from 1) of `table.key`, or of the table itself; 1 when it is not found.
    func line(table: String, key: String?, element: Int? = nil) -> Int {
        var current = ""
        for (index, line) in self.lines.enumerated() {
            let code = Self.trimmed(line)
            if code.hasPrefix("[") {
                current = code.dropFirst().prefix { $0 != "]" }.filter { $0 != " " && $0 != "\"" }
                if key == nil, current == table { return index + 1 }
            } else if let key {
                let name = Self.trimmed(code.prefix { $0 != "=" }).filter { $0 != "\"" }
                let isIt = (current == table && name == key) || (current.isEmpty && name == "\(table).\(key)")
                guard isIt, code.contains("=") else { continue }
                return element.map { self.line(ofElement: $0, from: index) } ?? index + 1
            }
        }
        return 1
    }

    /// Counts elements by the quotes that open them, comments aside.
    private func line(ofElement wanted: Int, from start: Int) -> Int {
        var count = -1
        var quote: Character?
        for index in start..<self.lines.count {
            var code = self.lines[index]
            if index == start, let equals = code.firstIndex(of: "=") { code = code[code.index(after: equals)...] }
            for character in code {
                if let open = quote {
                    if character == open { quote = nil }
                } else if character == "#" {
                    break
                } else if character == "\"" || character == "'" {
                    quote = character
                    count += 1
                    if count == wanted { return index + 1 }
                } else if character == "]" {
                    return index + 1
                }
            }
            quote = nil
        }
        return start + 1
    }

    private static func trimmed(_ text: some StringProtocol) -> String {
        let characters = Array(text)
        guard let first = characters.firstIndex(where: { !$0.isWhitespace }),
            let last = characters.lastIndex(where: { !$0.isWhitespace })
        else { return "" }
        return String(characters[first...last])
    }
}
