import Glibc

/// A file's content, or why it cannot be had: FileManager tells no reason.
package enum FileBytes {
    /// Why a file cannot be read, as the system says it: `No such file or directory`, `Permission denied`, `Is a directory`.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String

        fileprivate init(_ number: CInt) {
            var words = [CChar](repeating: 0, count: 256)
            let isKnown = strerror_r(number, &words, words.count) == 0
            let bytes = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            self.description = isKnown ? String(decoding: bytes, as: UTF8.self) : "error \(number)"
        }
    }

    /// - Parameter most: how many bytes may be read; of a longer file these and one more are.
    package static func read(_ path: String, upTo most: Int = .max - 1) throws(Failure) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw Failure(errno) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= most {
            let count = Glibc.read(file, &piece, min(piece.count, most + 1 - bytes.count))
            if count < 0 {
                if errno == EINTR { continue }
                throw Failure(errno)
            }
            if count == 0 { break }
            bytes += piece[..<count]
        }
        return bytes
    }
}
