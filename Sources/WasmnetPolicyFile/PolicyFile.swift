import Foundation
import TOMLKit
public import WasmnetPolicy
package import WasmnetNet

/// A policy as a TOML file. Nothing is silently ignored: an unknown key, a bad entry, an empty range is an error.
public enum PolicyFile {
    /// The most bytes that a policy's file may have. Default 4 MiB.
    package static let maxBytes = 4 << 20

    /// Reads a regular file of at most 4 MiB.
    ///
    /// - Throws: ``PolicyFileError`` with all errors.
    public static func load(path: String) throws(PolicyFileError) -> Policy {
        try self.load(path: path, of: .regular)
    }

    /// - Parameter kinds: the allowed kinds of file.
    package static func load(path: String, of kinds: FileBytes.Kinds) throws(PolicyFileError) -> Policy {
        let bytes: [UInt8]
        do {
            bytes = try FileBytes.read(path, upTo: self.maxBytes, of: kinds)
        } catch {
            let message = "the file cannot be read: \(error)"
            throw PolicyFileError(problems: [.init(line: 0, path: "", message: message, file: path)])
        }
        return try self.parse(bytes, file: path)
    }

    /// - Parameter file: the name used in errors.
    public static func parse(_ text: String, file: String) throws(PolicyFileError) -> Policy {
        try self.parse(Array(text.utf8), file: file)
    }

    private static func parse(_ bytes: [UInt8], file: String) throws(PolicyFileError) -> Policy {
        let content: ByteText
        do {
            content = try ByteText(file: bytes)
        } catch {
            throw PolicyFileError(problems: [.init(line: error.line, path: "", message: error.problem, file: file)])
        }
        // For the TOML library a text ends at a NUL, so anything after one would not be read.
        for (index, line) in content.lines.enumerated() where line.holds("\\u0000") || line.holds("\\U00000000") {
            throw PolicyFileError(
                problems: [
                    .init(
                        line: index + 1, path: "", message: "\\u0000 stands for NUL, which no string may contain",
                        file: file
                    )
                ])
        }
        if let line = TOMLNesting.lineTooDeep(in: content.bytes) {
            throw PolicyFileError(problems: [.init(line: line, path: "", message: TOMLNesting.problem, file: file)])
        }
        let text = content.text
        let root: TOMLTable
        do {
            root = try TOMLTable(string: text)
        } catch let error as TOMLParseError {
            let problem = PolicyFileError.Problem(
                line: error.source.begin.line, path: "", message: "not TOML: \(error.description)", file: file)
            throw PolicyFileError(problems: [problem])
        } catch {
            throw PolicyFileError(problems: [.init(line: 0, path: "", message: "not TOML: \(error)", file: file)])
        }
        var reader = PolicyReader(file: file, text: content)
        let rules = reader.read(root)
        guard reader.problems.isEmpty else {
            throw PolicyFileError(problems: reader.problems.sorted { $0.line < $1.line })
        }
        return Policy(rules)
    }
}
