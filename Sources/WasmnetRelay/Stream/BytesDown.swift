import DequeModule
import NIOCore

/// A stream's bytes on their way from its target to the client: those that may go, within the client's credit, and behind them those
/// still withheld by the client's limits.
struct BytesDown {
    private var inbox = Deque<ByteBuffer>()
    private var undrawn = Deque<ByteBuffer>()
    private(set) var credit: SendCredit
    /// The last read was short: the target has nothing more to say for now. Such a socket may be read a little while others wait,
    /// and its bytes go first: they may answer a keystroke.
    private(set) var isInteractive = true

    init(_ credit: SendCredit) {
        self.credit = credit
    }

    var isEmpty: Bool { self.inbox.isEmpty }
    var waitsForLimits: Bool { !self.undrawn.isEmpty }
    /// Everything the target sent was handed over to the client's session.
    var isHandedOver: Bool { self.inbox.isEmpty && self.undrawn.isEmpty }

    // MARK: From the target

    /// Adds the bytes of one read.
    ///
    /// - Returns: whether they are next in line to be drawn from the client's limits; bytes already waiting go first.
    mutating func add(_ bytes: ByteBuffer) -> Bool {
        self.isInteractive = bytes.readableBytes < ReadScheduler.interactiveReadBytes / 2
        self.undrawn.append(bytes)
        return self.undrawn.count == 1
    }

    /// How many bytes to draw from the client's limits next; nil if none wait.
    var nextUndrawn: Int? { self.undrawn.first?.readableBytes }

    /// The client may have this many of ``nextUndrawn``.
    mutating func drew(_ count: Int) {
        guard var bytes = self.undrawn.popFirst() else { return }
        guard count < bytes.readableBytes else { return self.inbox.append(bytes) }
        if count > 0, let part = bytes.readSlice(length: count) { self.inbox.append(part) }
        self.undrawn.prepend(bytes)
    }

    // MARK: Toward the client

    /// The next piece to send, within the credit, of which there must be enough.
    mutating func next() -> ByteBuffer? {
        guard var piece = self.inbox.popFirst() else { return nil }
        if piece.readableBytes > self.credit.limit, let part = piece.readSlice(length: self.credit.limit) {
            self.inbox.prepend(piece)
            piece = part
        }
        self.credit.spend(piece.readableBytes)
        return piece
    }

    /// False if the next bytes wait for the client's credit.
    var hasCreditForNext: Bool { self.inbox.first.map { self.credit.takes($0.readableBytes) } ?? true }

    mutating func grant(_ bytes: UInt32) {
        self.credit.add(bytes)
    }

    /// A part too small to be worth a message has waited long enough.
    mutating func releaseSmallPart() {
        self.credit.releaseSmallPart()
    }

    mutating func discard() {
        self.inbox.removeAll()
        self.undrawn.removeAll()
    }

    /// The client's limits are spent for good.
    mutating func discardUndrawn() {
        self.undrawn.removeAll()
    }
}
