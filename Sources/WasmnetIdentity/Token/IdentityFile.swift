import WasmnetPolicy
import WasmnetNet

/// What is wrong with a file of tokens or keys, without any of its content.
package struct IdentityFileError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

enum IdentityFile {
    /// The most bytes that are read. Default 4 MiB.
    static let maxBytes = 4 << 20

    static func bytes(_ path: String) throws(IdentityFileError) -> [UInt8] {
        do {
            return try FileBytes.read(path, upTo: self.maxBytes)
        } catch {
            throw IdentityFileError("\(path): the file cannot be read: \(error)")
        }
    }

    /// - Throws: ``IdentityFileError`` with the line that is not valid text.
    static func text(_ bytes: [UInt8], file: String) throws(IdentityFileError) -> ByteText {
        do {
            return try ByteText(file: bytes)
        } catch {
            throw IdentityFileError("\(file):\(error.line): \(error.problem)")
        }
    }
}
