import NIOCore

/// A stream's bytes on their way from the client to its target, until they are with the kernel: small ones gather in one piece.
struct BytesUp {
    /// What waits for the dial, in one piece: many small ones would hold far more than their bytes.
    private var early = ByteBuffer()
    /// The last piece, which the channel does not have yet; small ones gather in it.
    private var tail: ByteBuffer?
    /// Bytes accepted and not yet with the kernel.
    private(set) var unsent = 0
    private var unflushed = 0
    /// Bytes that were flushed and are not yet with the kernel: the target lags.
    private var inFlight = 0

    private static let gatherLimit = 2 << 10
    /// Less than this waits here while the target lags: in the channel each piece holds some hundred bytes beside its own.
    private static let laggingPiece = 16 << 10

    /// Whether a piece waits that nothing in the channel goes before.
    var waitsForFlush: Bool { self.inFlight == 0 && self.tail != nil }

    /// Takes bytes of the client before there is a channel.
    mutating func addEarly(_ data: ByteBuffer) {
        self.unsent += data.readableBytes
        self.early.writeImmutableBuffer(data)
    }

    /// What came before there was a channel is now its first piece.
    mutating func connected() {
        self.unflushed = self.early.readableBytes
        if self.unflushed > 0 { self.tail = self.early }
        self.early = ByteBuffer()
    }

    /// Takes bytes of the client.
    ///
    /// - Parameter limit: bytes of one piece.
    /// - Returns: a piece that is full, for the channel.
    mutating func add(_ data: ByteBuffer, limit: Int) -> ByteBuffer? {
        self.unsent += data.readableBytes
        self.unflushed += data.readableBytes
        // What a target that lags is sent is copied: a few bytes must not keep the whole read alive that they came in.
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

    /// The piece that a flush sends, and how many bytes it flushes in all. Nil where it waits until all that went before is with the kernel.
    mutating func takeForFlush() -> (piece: ByteBuffer, count: Int)? {
        guard self.inFlight == 0 || self.unflushed >= Self.laggingPiece, let piece = self.tail.take() else {
            return nil
        }
        let count = self.unflushed
        self.unflushed = 0
        self.inFlight += count
        return (piece, count)
    }

    /// So many bytes are with the kernel.
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
