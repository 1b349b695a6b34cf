import NIOCore

/// Sizes the buffer of each read, and leaves room in front of the bytes for the headers they will be forwarded with.
///
/// One object per channel, on its event loop. NIO's own allocators keep the last buffer of a channel for reuse, which costs
/// memory on idle sockets; this one never returns the same buffer twice (`record` answers that the next may be larger),
/// so that an idle socket holds only the first, which is small. Sizes follow the traffic: doubled when a read fills the
/// buffer, halved after several that leave most of it empty.
final class ReceiveAllocator: RecvByteBufferAllocator, @unchecked Sendable {
    // Unchecked because NIO asks for Sendable: every use is on the channel's event loop.

    /// Room in front: a server's frame header and the type and id of a binary `data` message.
    static let headroom = 24
    private static let smallest = 1 << 10

    private let largest: Int
    private var size: Int
    private var shortReads = 0
    private var isFirst = true
    /// The next reads take at most this many bytes, or 104 if that is less; set before each `read()` by callers that count credit.
    var limit = Int.max

    init(largest: Int) {
        self.largest = max(Self.smallest, largest)
        self.size = min(4 << 10, self.largest)
    }

    func nextBufferSize() -> Int? { nil }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        let wanted = min(self.isFirst ? Self.smallest : self.size, self.limit)
        self.isFirst = false
        var buffer = allocator.buffer(capacity: Self.capacity(for: wanted))
        buffer.moveWriterIndex(to: Self.headroom)
        buffer.moveReaderIndex(to: Self.headroom)
        return buffer
    }

    /// A buffer's capacity is a power of two, and a read fills all of it: the largest that is not above the wanted size.
    static func capacity(for wanted: Int) -> Int {
        let least = 4 * Self.headroom
        return 1 << (Int.bitWidth - 1 - max(least, wanted).leadingZeroBitCount)
    }

    func record(actualReadBytes: Int) -> Bool {
        if actualReadBytes >= self.size - Self.headroom {
            self.size = min(self.size * 4, self.largest)
            self.shortReads = 0
        } else if actualReadBytes < self.size / 4 {
            self.shortReads += 1
            if self.shortReads >= 8 {
                self.shortReads = 0
                self.size = max(self.size / 2, Self.smallest)
            }
        } else {
            self.shortReads = 0
        }
        return true
    }
}
