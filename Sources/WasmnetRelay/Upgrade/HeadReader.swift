package import NIOCore

/// Why a request's head is refused before it is interpreted.
package enum HeadError: Error, Equatable, Sendable {
    /// The request line alone is longer than a head may be (RFC 9110, section 15.5.15).
    case lineTooLong
    /// RFC 6585, section 5.
    case tooLarge
    case tooManyFields
    /// RFC 9110, section 15.6.6.
    case version
    /// RFC 9112, with a description of the error.
    case malformed(String)
}

/// Collects the head of one request up to its empty line (RFC 9112, section 2.1), within bounds. A value, without I/O.
package struct HeadReader {
    /// Bytes of a head, its request line and the empty line included.
    package static let maxBytes = 16 << 10
    /// Field lines of a head.
    package static let maxFields = 100

    package enum Result: Equatable {
        /// All bytes were taken, and the head continues.
        case more
        /// The head with its empty line; the bytes after it were left in the buffer.
        case whole(ByteBuffer)
        case failed(HeadError)
    }

    private var head = ByteBuffer()
    /// Bytes taken, including empty lines before the request line.
    private var taken = 0
    /// Lines of the head so far.
    private var lines = 0
    /// Bytes of the unfinished line.
    private var lineLength = 0
    private var lastByte: UInt8 = 0

    package init() {}

    /// Memory held by the head, in bytes.
    package var heldBytes: Int { self.head.readableBytes == 0 ? 0 : self.head.capacity }
    /// Whether a byte of a request has arrived.
    package var hasBegun: Bool { self.taken > 0 }

    /// Takes bytes up to the head's end.
    package mutating func take(from bytes: inout ByteBuffer) -> Result {
        let most = min(bytes.readableBytes, Self.maxBytes - self.taken)
        var count = 0
        var end: HeadError?
        var isWhole = false
        bytes.withUnsafeReadableBytes { bytes in
            while count < most, !isWhole, end == nil {
                let byte = bytes[count]
                count += 1
                if byte == UInt8(ascii: "\n") {
                    (isWhole, end) = self.endLine()
                } else {
                    self.lineLength += 1
                }
                self.lastByte = byte
            }
        }
        self.taken += count
        if let taken = bytes.readSlice(length: count), end == nil { self.head.writeImmutableBuffer(taken) }
        if let end { return .failed(end) }
        if isWhole {
            // Empty lines before the request line are not part of it (RFC 9112, section 2.2).
            let view = self.head.readableBytesView
            let first = view.firstIndex { $0 != UInt8(ascii: "\r") && $0 != UInt8(ascii: "\n") } ?? view.endIndex
            self.head.moveReaderIndex(to: first)
            return .whole(self.head)
        }
        guard self.taken < Self.maxBytes else { return .failed(self.lines == 0 ? .lineTooLong : .tooLarge) }
        return .more
    }

    private mutating func endLine() -> (isWhole: Bool, HeadError?) {
        let isEmpty = self.lineLength == 0 || (self.lineLength == 1 && self.lastByte == UInt8(ascii: "\r"))
        self.lineLength = 0
        if isEmpty { return (self.lines > 0, nil) }
        self.lines += 1
        return (false, self.lines > 1 + Self.maxFields ? .tooManyFields : nil)
    }
}
