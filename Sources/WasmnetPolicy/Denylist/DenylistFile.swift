/// A list of entries as text: one a line.
///
/// ```
/// # everything behind a number sign is a comment
/// 203.0.113.7
/// *.example.org:25            # also behind an entry
/// client:t:someone until=2026-11-25T08:30:00Z reason=the rest of the line, whatever it holds
/// ```
package enum DenylistFile {
    /// What is wrong with a list, line by line.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        package let name: String
        /// Lines count from 1. No more of them than ``mostProblems``.
        package let problems: [(line: Int, error: DenylistError)]
        /// Whether there are others.
        package let hasMore: Bool

        /// `NAME:LINE: WORDS`, a line each.
        package var description: String {
            self.problems.map { "\(self.name):\($0.line): \($0.error)" }.joined(separator: "\n")
                + (self.hasMore ? "\n\(self.name): and more" : "")
        }

        package static func == (left: Failure, right: Failure) -> Bool { left.description == right.description }
    }

    package static let mostProblems = 20

    /// Reads a list. An entry that stands there twice is read twice.
    ///
    /// - Parameter name: what the list is called in errors.
    /// - Throws: all that is wrong; then nothing is read.
    package static func read(_ bytes: some Collection<UInt8>, name: String) throws(Failure) -> [DenylistEntry] {
        var entries: [DenylistEntry] = []
        var problems: [(line: Int, error: DenylistError)] = []
        var number = 0
        for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            do throws(DenylistError) {
                if let entry = try self.entry(line) { entries.append(entry) }
            } catch {
                problems.append((number, error))
                if problems.count > self.mostProblems { break }
            }
        }
        guard problems.isEmpty else {
            throw Failure(
                name: name, problems: Array(problems.prefix(self.mostProblems)),
                hasMore: problems.count > self.mostProblems)
        }
        return entries
    }

    /// Writes a list that ``read(_:name:)`` reads, a line for each entry.
    package static func write(_ entries: some Sequence<DenylistEntry>) -> String {
        var text = ""
        for entry in entries { text += "\(entry)\n" }
        return text
    }

    private static func entry(_ line: some Collection<UInt8>) throws(DenylistError) -> DenylistEntry? {
        guard let text = String(validating: line, as: UTF8.self) else { throw DenylistError("this is no UTF-8") }
        var rest = text.unicodeScalars[...]
        let word = self.word(&rest)
        guard let first = word.unicodeScalars.first, first != "#" else { return nil }
        let subject = try DenylistSubject(word)
        var expiry: UnixTime?
        while true {
            let here = self.withoutSpace(rest)
            guard let next = here.first, next != "#" else { return DenylistEntry(subject, expiry: expiry) }
            if let reason = self.value(of: "reason", here) {
                // A line that was written elsewhere may end in CR LF.
                let text = reason.last == "\r" ? reason.dropLast() : reason
                return DenylistEntry(subject, expiry: expiry, reason: try DenylistReason(String(text)))
            }
            rest = here
            let word = self.word(&rest)
            guard expiry == nil, let time = self.value(of: "until", word.unicodeScalars[...]) else {
                throw DenylistError("after an entry come until=TIME, reason=WORDS or a comment, not \"\(word)\"")
            }
            expiry = UnixTime(String(time))
            guard expiry != nil else {
                throw DenylistError("\"\(String(time))\" is no time as in 2026-11-25T08:30:00Z")
            }
        }
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        scalar == " " || scalar == "\t" || scalar == "\r"
    }

    private static func withoutSpace(_ text: Substring.UnicodeScalarView) -> Substring.UnicodeScalarView {
        text.drop(while: self.isSpace)
    }

    private static func word(_ text: inout Substring.UnicodeScalarView) -> String {
        text = self.withoutSpace(text)
        let word = text.prefix { !self.isSpace($0) }
        text = text.dropFirst(word.count)
        return String(word)
    }

    /// What stands behind `key=`.
    private static func value(
        of key: String, _ text: Substring.UnicodeScalarView
    ) -> Substring.UnicodeScalarView? {
        text.starts(with: "\(key)=".unicodeScalars) ? text.dropFirst(key.unicodeScalars.count + 1) : nil
    }
}
