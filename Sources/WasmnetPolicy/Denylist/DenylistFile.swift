import WasmnetNet

/// A list of entries as text: one per line.
///
/// ```
/// # everything behind a number sign is a comment
/// 203.0.113.7
/// *.example.org:25            # also behind an entry
/// client:t:someone until=2026-11-25T08:30:00Z reason=the rest of the line, whatever it holds
/// ```
package enum DenylistFile {
    /// The errors in a list, line by line.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        package let name: String
        /// Lines count from 1. At most ``maxProblems``.
        package let problems: [(line: Int, error: DenylistError)]
        /// Whether there are more.
        package let hasMore: Bool

        /// `NAME:LINE: WORDS`, a line each.
        package var description: String {
            self.problems.map { "\(self.name):\($0.line): \($0.error.description.shown(upTo: nil))" }.joined(
                separator: "\n")
                + (self.hasMore ? "\n\(self.name): and more" : "")
        }

        package static func == (left: Failure, right: Failure) -> Bool { left.description == right.description }
    }

    package static let maxProblems = 20

    /// Reads a list. A repeated entry is read twice.
    ///
    /// - Parameter name: the list's name in errors.
    /// - Throws: all errors; then nothing is read.
    package static func read(_ bytes: some Collection<UInt8>, name: String) throws(Failure) -> [DenylistEntry] {
        var entries: [DenylistEntry] = []
        var problems: [(line: Int, error: DenylistError)] = []
        var number = 0
        for line in ByteText(bytes).withoutByteOrderMark.lines {
            number += 1
            do throws(DenylistError) {
                if let entry = try self.entry(line) { entries.append(entry) }
            } catch {
                problems.append((number, error))
                if problems.count > self.maxProblems { break }
            }
        }
        guard problems.isEmpty else {
            throw Failure(
                name: name, problems: Array(problems.prefix(self.maxProblems)),
                hasMore: problems.count > self.maxProblems)
        }
        return entries
    }

    /// Writes a list that ``read(_:name:)`` reads, a line for each entry.
    package static func write(_ entries: some Sequence<DenylistEntry>) -> String {
        var text = ""
        for entry in entries { text += "\(entry)\n" }
        return text
    }

    private static func entry(_ line: ByteText) throws(DenylistError) -> DenylistEntry? {
        if let fault = line.lineFault { throw DenylistError(fault) }
        guard let (first, behind) = line.firstWord, !first.starts(with: "#") else { return nil }
        let subject = try DenylistSubject(first.text)
        var rest = behind
        var expiry: UnixTime?
        while let (word, next) = rest.firstWord, !word.starts(with: "#") {
            if let reason = rest.trimmed.dropping(prefix: "reason=") {
                return DenylistEntry(subject, expiry: expiry, reason: try DenylistReason(reason.text))
            }
            guard expiry == nil, let time = word.dropping(prefix: "until=") else {
                throw DenylistError(
                    "only until=TIME, reason=WORDS or a comment may follow an entry, not \"\(word.text)\"")
            }
            expiry = UnixTime(time.text)
            guard expiry != nil else {
                throw DenylistError("\"\(time.text)\" is not a time such as 2026-11-25T08:30:00Z")
            }
            rest = next
        }
        return DenylistEntry(subject, expiry: expiry)
    }
}
