import Foundation
import TOMLKit
public import WasmnetPolicy

/// A policy as a TOML file. Nothing is ever skipped in silence: an unknown key, a bad entry, an empty range is an error.
public enum PolicyFile {
    /// - Throws: ``PolicyFileError`` with all that is wrong.
    public static func load(path: String) throws(PolicyFileError) -> Policy {
        let bytes: [UInt8]
        do {
            bytes = try FileBytes.read(path)
        } catch {
            let message = "the file cannot be read: \(error)"
            throw PolicyFileError(problems: [.init(line: 0, path: "", message: message, file: path)])
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw PolicyFileError(problems: [.init(line: 0, path: "", message: "the file is not UTF-8", file: path)])
        }
        return try self.parse(text, file: path)
    }

    /// - Parameter file: the name that errors give.
    public static func parse(_ text: String, file: String) throws(PolicyFileError) -> Policy {
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
        var reader = PolicyReader(file: file, text: text)
        let rules = reader.read(root)
        guard reader.problems.isEmpty else {
            throw PolicyFileError(problems: reader.problems.sorted { $0.line < $1.line })
        }
        return Policy(rules)
    }
}
