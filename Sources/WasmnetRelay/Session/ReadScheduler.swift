import DequeModule
import WasmnetProtocol

/// Who is read, how much, and whose bytes go first, as a value; ``Traffic`` does it.
///
/// Down: a socket with bytes sends at once while nobody waits and there is room; else it queues (``TurnTaking``). A socket is read again
/// when all its bytes are handed over, its client grants credit, the carrier has room and the client's budget is not spent. A sparse
/// socket, whose last read was short, is read also without room, a little, and goes before the others. Up: the carrier is read unless a
/// target without credit holds more than its allowance, the client's limits say no (``ClientBudget``), or our answers pile up.
struct ReadScheduler: Hashable {
    /// What a sparse socket may have read that waits for room, in bytes.
    static let interactiveReadBytes = 4 << 10
    /// What a read may take at the least, in bytes, however many sockets share a turn.
    static let leastShare = 8 << 10

    enum Read: Hashable {
        case now(limit: Int)
        /// In line until there is room. `isNew`: it was not in line before.
        case later(isNew: Bool)
    }

    private var turns: TurnTaking<SocketID>
    private var readers = Deque<SocketID>()
    private var readerSet: Set<SocketID> = []
    private var readsThisTurn = 0
    /// The most bytes that one read takes now.
    private var share: Int
    private let largestRead: Int
    private let turnBytes: Int
    private var heldUploads: Set<ObjectIdentifier> = []
    /// Whether so many answers are queued that no more should be asked for.
    var replyBacklogExceeded = false

    /// - Parameters:
    ///   - chunk: the most bytes of a socket's turn.
    ///   - largestRead: the most bytes of one read.
    ///   - turnBytes: what the reads of one turn of the event loop should bring together.
    init(chunk: Int, largestRead: Int, turnBytes: Int) {
        self.turns = TurnTaking(quantum: chunk)
        self.share = largestRead
        self.largestRead = largestRead
        self.turnBytes = turnBytes
    }

    // MARK: Whose bytes go first

    /// A socket has read, and has bytes to send.
    ///
    /// - Parameter isUrgent: it is sparse, and the carrier takes a little more.
    /// - Returns: whether one piece may go before all others: it is urgent, and nothing of the socket waits for its turn.
    mutating func hasRead(_ id: SocketID, isUrgent: Bool) -> Bool {
        self.readsThisTurn += 1
        return isUrgent && !self.turns.contains(id)
    }

    /// Whether no socket waits for its turn, so that one with bytes need not wait either.
    var nobodyWaits: Bool { self.turns.isEmpty }

    /// A socket has more to send, and waits for its turn.
    mutating func queue(_ id: SocketID) { self.turns.add(id) }

    /// The socket whose turn it is; it stays queued until ``sent(_:bytes:hasMore:)`` tells.
    mutating func next() -> SocketID? { self.turns.next() }

    /// The socket in turn sent this many bytes, or could not send at all (0), and has more or not.
    mutating func sent(_ id: SocketID, bytes: Int, hasMore: Bool) {
        self.turns.sent(id, bytes: bytes, hasMore: hasMore)
    }

    /// A socket has nothing to send any more.
    mutating func forget(_ id: SocketID) { self.turns.remove(id) }

    // MARK: Who reads

    /// A socket can take a read.
    ///
    /// - Parameters:
    ///   - mayRead: whether the client's limits let anything be read.
    ///   - quantum: the most bytes of one read within the client's limits, and that its way takes well.
    mutating func read(
        _ id: SocketID, isInteractive: Bool, hasRoom: Bool, mayRead: Bool, quantum: @autoclosure () -> Int
    ) -> Read {
        guard mayRead, isInteractive || (self.readers.isEmpty && hasRoom) else {
            let isNew = self.readerSet.insert(id).inserted
            if isNew { self.readers.append(id) }
            return .later(isNew: isNew)
        }
        return .now(limit: hasRoom ? self.limit(quantum()) : Self.interactiveReadBytes)
    }

    var hasReaders: Bool { !self.readers.isEmpty }

    /// Takes who is first in line.
    mutating func nextReader() -> SocketID? {
        guard let id = self.readers.popFirst() else { return nil }
        self.readerSet.remove(id)
        return id
    }

    mutating func forgetReaders() {
        self.readers = []
        self.readerSet = []
    }

    /// The most bytes of one read. With a bandwidth limit reads are small, so that the sockets' turns are short.
    func limit(_ quantum: Int) -> Int { min(quantum, self.share) }

    /// A turn of the event loop is over. Sockets that had bytes in it, or wait to read, share what the next may bring, so that one with many busy
    /// sockets is no longer than one with few, and what is urgent waits for neither.
    mutating func turnEnded() {
        let busy = max(1, self.readsThisTurn, self.readers.count)
        self.share = max(Self.leastShare, min(self.largestRead, self.turnBytes / busy))
        self.readsThisTurn = 0
    }

    // MARK: Whether the carrier is read

    /// Whether nothing here keeps the carrier from being read; the client's limits may.
    var readsCarrier: Bool { self.heldUploads.isEmpty && !self.replyBacklogExceeded }

    /// - Returns: whether that is new.
    mutating func holdUploads(of socket: ObjectIdentifier) -> Bool { self.heldUploads.insert(socket).inserted }

    /// - Returns: whether it held any.
    mutating func releaseUploads(of socket: ObjectIdentifier) -> Bool { self.heldUploads.remove(socket) != nil }
}
