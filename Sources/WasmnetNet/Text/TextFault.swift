/// Invalid content of a text file, and its line.
package struct TextFault: Error, Equatable, Sendable {
    /// From 1.
    package let line: Int
    package let problem: String

    package init(line: Int, problem: String) {
        self.line = line
        self.problem = problem
    }
}

extension ByteText {
    /// A file's text: UTF-8, without the byte order mark that some editors put first, and without control characters (Unicode's Cc) other
    /// than tab, LF and CRLF.
    ///
    /// - Throws: ``TextFault`` for the first invalid line.
    package init(file bytes: [UInt8]) throws(TextFault) {
        let text = ByteText(bytes).withoutByteOrderMark
        if let fault = text.fault { throw fault }
        self = text
    }

    package var withoutByteOrderMark: ByteText { self.dropping(prefix: "\u{FEFF}") ?? self }

    /// The first line that is not UTF-8 or has a control character other than tab, LF and CRLF.
    package var fault: TextFault? {
        for (index, line) in self.lines.enumerated() {
            if let problem = line.lineFault { return TextFault(line: index + 1, problem: problem) }
        }
        return nil
    }

    /// What is wrong with one line, without its end.
    package var lineFault: String? {
        guard let text = self.validText else { return "this is not UTF-8" }
        return text.unicodeScalars.first { $0 != "\t" && $0.properties.generalCategory == .control }
            .map { "there is a control character, U+\(Self.hex($0.value, digits: 4).uppercased())" }
    }

    /// Whether there is a control character: C0, DEL or C1.
    package var hasControls: Bool {
        self.text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    static func hex(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}
