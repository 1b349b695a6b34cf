import NIOCore

/// A stream's bytes on their way from the client to its target, until the kernel has them: small ones are gathered in one piece.
struct BytesUp {
    /// Bytes waiting for the dial, in one piece: many small ones would take far more memory than their bytes.
    private var early = ByteBuffer()
    /// The last piece, not yet passed to the channel; small ones are gathered in it.
    private var tail: ByteBuffer?
    /// Bytes accepted and not yet with the kernel.
    private(set) var unsent = 0
    private var unflushed = 0
    /// Bytes that were flushed and are not yet with the kernel: the target lags.
    private var inFlight = 0

    private static let gatherLimit = 2 << 10
    /// Less than this waits here while the target lags: in the channel each piece has an overhead of some hundred bytes.
    private static let laggingPiece = 16 << 10

    /// Whether a piece waits with nothing ahead of it in the channel.
    var waitsForFlush: Bool { self.inFlight == 0 && self.tail != nil }

    /// Adds bytes of the client before there is a channel.
    mutating func addEarly(_ data: ByteBuffer) {
        self.unsent += data.readableBytes
        self.early.writeImmutableBuffer(data)
    }

    /// The bytes added before there was a channel become its first piece.
    mutating func connected() {
        self.unflushed = self.early.readableBytes
        if self.unflushed > 0 { self.tail = self.early }
        self.early = ByteBuffer()
    }

    /// Adds bytes of the client.
    ///
    /// - Parameter limit: bytes of one piece.
    /// - Returns: a full piece, for the channel.
    mutating func add(_ data: ByteBuffer, limit: Int) -> ByteBuffer? {
        self.unsent += data.readableBytes
        self.unflushed += data.readableBytes
        // Bytes for a lagging target are copied: a few bytes must not keep the whole read alive that they arrived in.
        let gathers = data.readableBytes <= Self.gatherLimit || self.inFlight > 0
        guard var last = self.tail.take() else {
            self.tail = gathers ? ByteBuffer(buffer: data) : data
            return nil
        }
        if gathers, last.readableBytes + data.readableBytes <= limit {
            last.writeImmutableBuffer(data)
            self.tail = last
            return nil
        }
        self.tail = gathers ? ByteBuffer(buffer: data) : data
        return last
    }

    /// The piece to flush, and how many bytes are flushed in total. Nil if it waits until the kernel has all earlier ones.
    mutating func takeForFlush() -> (piece: ByteBuffer, count: Int)? {
        guard self.inFlight == 0 || self.unflushed >= Self.laggingPiece, let piece = self.tail.take() else {
            return nil
        }
        let count = self.unflushed
        self.unflushed = 0
        self.inFlight += count
        return (piece, count)
    }

    /// The kernel has `count` more bytes.
    mutating func sent(_ count: Int) {
        self.unsent -= count
        self.inFlight -= count
    }

    /// Nothing goes out any more.
    mutating func drop() {
        self.early = ByteBuffer()
        self.tail = nil
        self.unsent = 0
    }
}
