import CHiredis
package import NIOCore

/// Turns the bytes of one connection into replies, using hiredis's reader.
///
/// One parser serves one connection from its first byte to its last, on one thread at a time. Its results do
/// not depend on how the bytes are split: replies before a violation are delivered, then the violation is thrown, and
/// again on every later call.
package final class ReplyParser {
    /// hiredis moves its buffer when it receives more than it has drained, so it is fed in pieces of this many bytes.
    private static let pieceLength = 64 << 10

    private let reader: UnsafeMutablePointer<redisReader>
    private var scanner: RESPScanner
    private var violation: RESPViolation?

    /// Nil when there is no memory for a reader.
    package init?(limits: RESPLimits = RESPLimits()) {
        guard let reader = redisReaderCreate() else { return nil }
        self.reader = reader
        scanner = RESPScanner(limits: limits)
    }

    deinit {
        redisReaderFree(reader)
    }

    /// Parses more bytes.
    ///
    /// - Parameter deliver: called for each complete reply, in order, before the next is built.
    package func feed(_ bytes: ByteBuffer, deliver: (RESPValue) -> Void) throws(RESPViolation) {
        if let violation { throw violation }
        do throws(RESPViolation) {
            var bytes = bytes
            while let piece = bytes.readSlice(length: min(Self.pieceLength, bytes.readableBytes)),
                piece.readableBytes > 0
            {
                let finding = piece.withUnsafeReadableBytes { scanner.scan($0) }
                let sound = finding.violation == nil ? piece.readableBytes : finding.completed
                try read(piece, count: sound, deliver)
                if let violation = finding.violation { throw violation }
            }
        } catch {
            violation = error
            throw error
        }
    }

    private func read(
        _ piece: ByteBuffer, count: Int, _ deliver: (RESPValue) -> Void
    ) throws(RESPViolation) {
        guard count > 0 else { return }
        let status = piece.withUnsafeReadableBytes { bytes in
            redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), count)
        }
        guard status == REDIS_OK else { throw failure() }
        while true {
            var object: UnsafeMutableRawPointer?
            guard redisReaderGetReply(reader, &object) == REDIS_OK else { throw failure() }
            guard let object else { return }
            let value = RESPValue(object.assumingMemoryBound(to: redisReply.self))
            freeReplyObject(object)
            deliver(value)
        }
    }

    private func failure() -> RESPViolation {
        // errstr is a fixed array of 128 characters, which Swift sees as a tuple.
        let words = withUnsafeBytes(of: reader.pointee.errstr) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return .reader(words)
    }
}

extension RESPValue {
    /// Copies a reply of hiredis. Its depth is bounded by hiredis itself, so recursion is safe.
    fileprivate init(_ reply: UnsafePointer<redisReply>) {
        switch reply.pointee.type {
        case REDIS_REPLY_STRING: self = .bulkString(ByteBuffer(bytes: reply.characters))
        case REDIS_REPLY_STATUS: self = .simpleString(String(decoding: reply.characters, as: UTF8.self))
        case REDIS_REPLY_ERROR:
            self = .error(RedisServerError(line: String(decoding: reply.characters, as: UTF8.self)))
        case REDIS_REPLY_INTEGER: self = .integer(Int64(reply.pointee.integer))
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: reply.pointee.element, count: Int(reply.pointee.elements))
            self = .array(elements.map { $0.map { RESPValue($0) } ?? .null })
        default: self = .null
        }
    }
}

extension UnsafePointer<redisReply> {
    fileprivate var characters: UnsafeRawBufferPointer {
        // The length is an `int` in hiredis before 0.14 and a `size_t` since.
        UnsafeRawBufferPointer(start: pointee.str, count: Int(pointee.len))
    }
}
