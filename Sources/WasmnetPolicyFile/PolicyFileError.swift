import WasmnetNet

/// All errors in a policy file, each with its line and the key's path.
public struct PolicyFileError: Error, Sendable, CustomStringConvertible {
    /// One error and its location.
    public struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// Counted from 1; 0 when the file could not be read at all.
        public var line: Int
        /// For example `network.deny[3]`; empty for errors of syntax.
        public var path: String
        /// A description of the error.
        public var message: String
        var file: String

        /// `file:line: key: message`: one line, whatever the file contains.
        public var description: String {
            let place = self.line > 0 ? "\(self.file):\(self.line)" : self.file
            let text = self.path.isEmpty ? "\(place): \(self.message)" : "\(place): \(self.path): \(self.message)"
            return text.shown(upTo: nil)
        }
    }

    /// All errors found, in the order of the file; at least one.
    public let problems: [Problem]

    /// The problems, a line each.
    public var description: String { self.problems.map(\.description).joined(separator: "\n") }
}
