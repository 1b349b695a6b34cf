import Glibc

/// A file's content, or why it cannot be read: FileManager gives no reason.
package enum FileBytes {
    /// Why a file cannot be read, in the system's words (`No such file or directory`, `Permission denied`, `Is a directory`), or what
    /// kind or size of file it is.
    package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String

        fileprivate init(_ description: String) {
            self.description = description
        }

        fileprivate init(_ number: CInt) {
            var words = [CChar](repeating: 0, count: 256)
            let isKnown = strerror_r(number, &words, words.count) == 0
            let bytes = words.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            self.description = isKnown ? String(decoding: bytes, as: UTF8.self) : "error \(number)"
        }

        fileprivate init(moreThan most: Int) {
            self.init("it has more than \(most) bytes")
        }
    }

    /// The kinds of files to read.
    package enum Kinds: Sendable {
        /// Regular files only: a pipe or a device may block forever, or never end. For everything that a node reads.
        case regular
        /// Pipes and devices too, waiting for them. For files that a command reads and a person can interrupt.
        case anything
    }

    /// The default maximum size of a file, in bytes. Default 16 MiB.
    package static let maxBytes = 16 << 20

    /// All of a file.
    ///
    /// - Parameter most: its maximum number of bytes.
    /// - Throws: ``Failure``, also for a longer file and for one of another kind.
    package static func read(
        _ path: String, upTo most: Int = Self.maxBytes, of kinds: Kinds = .regular
    ) throws(Failure) -> [UInt8] {
        try self.whole(self.beginning(of: path, upTo: most, kinds), most)
    }

    /// All of standard input, whatever it is.
    package static func readStandardInput(upTo most: Int = Self.maxBytes) throws(Failure) -> [UInt8] {
        try self.whole(self.bytes(STDIN_FILENO, upTo: most), most)
    }

    /// The first bytes of a file.
    ///
    /// - Parameter most: the maximum number; of a longer file one more byte is read.
    package static func beginning(
        of path: String, upTo most: Int, _ kinds: Kinds = .regular
    ) throws(Failure) -> [UInt8] {
        // Without O_NONBLOCK opening a pipe waits for its other end.
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | (kinds == .regular ? O_NONBLOCK : 0))
        guard file >= 0 else { throw Failure(errno) }
        defer { close(file) }
        var facts = stat()
        guard fstat(file, &facts) == 0 else { throw Failure(errno) }
        switch (facts.st_mode & S_IFMT, kinds) {
        case (S_IFDIR, _): throw Failure(EISDIR)
        case (S_IFREG, _), (_, .anything): return try self.bytes(file, upTo: most)
        case (_, .regular): throw Failure("it is not a regular file")
        }
    }

    private static func whole(_ bytes: [UInt8], _ most: Int) throws(Failure) -> [UInt8] {
        guard bytes.count <= most else { throw Failure(moreThan: most) }
        return bytes
    }

    private static func bytes(_ file: CInt, upTo most: Int) throws(Failure) -> [UInt8] {
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
