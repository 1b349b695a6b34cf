import DequeModule
import WasmnetProtocol

/// Which sockets are read, how much, and whose bytes are sent first, as a value; ``Traffic`` carries it out.
///
/// Down: a socket with bytes sends at once if none waits and there is room; otherwise it queues (``TurnTaking``). A socket is read again
/// when all its bytes are handed over, its client grants credit, the carrier has room and the client's budget is not spent. A sparse
/// socket, whose last read was short, is also read without room, a little, and goes before the others. Up: the carrier is read unless a
/// target without credit holds more than its allowance, the client's limits forbid it (``ClientBudget``), or our answers pile up.
struct ReadScheduler: Hashable {
    /// How much of a sparse socket is read while there is no room, in bytes.
    static let interactiveReadBytes = 4 << 10
    /// The least that a read may take, in bytes, however many sockets share a turn.
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
    /// Whether too many answers are queued to accept more requests.
    var replyBacklogExceeded = false

    /// - Parameters:
    ///   - chunk: the most bytes of a socket's turn.
    ///   - largestRead: the most bytes of one read.
    ///   - turnBytes: target for the total of all reads in one turn of the event loop.
    init(chunk: Int, largestRead: Int, turnBytes: Int) {
        self.turns = TurnTaking(quantum: chunk)
        self.share = largestRead
        self.largestRead = largestRead
        self.turnBytes = turnBytes
    }

    // MARK: Order of sending

    /// A socket has read, and has bytes to send.
    ///
    /// - Parameter isUrgent: it is sparse, and the carrier accepts a little more.
    /// - Returns: whether one piece may go before all others: it is urgent, and nothing of the socket waits for its turn.
    mutating func hasRead(_ id: SocketID, isUrgent: Bool) -> Bool {
        self.readsThisTurn += 1
        return isUrgent && !self.turns.contains(id)
    }

    /// Whether no socket waits for its turn, so that one with bytes need not wait either.
    var nobodyWaits: Bool { self.turns.isEmpty }

    /// A socket has more to send, and waits for its turn.
    mutating func queue(_ id: SocketID) { self.turns.add(id) }

    /// The socket whose turn it is; it stays queued until ``sent(_:bytes:hasMore:)``.
    mutating func next() -> SocketID? { self.turns.next() }

    /// The socket in turn sent this many bytes, or could not send at all (0), and whether it has more.
    mutating func sent(_ id: SocketID, bytes: Int, hasMore: Bool) {
        self.turns.sent(id, bytes: bytes, hasMore: hasMore)
    }

    /// A socket has nothing left to send.
    mutating func forget(_ id: SocketID) { self.turns.remove(id) }

    // MARK: Order of reading

    /// A socket can be read.
    ///
    /// - Parameters:
    ///   - mayRead: whether the client's limits allow reading.
    ///   - quantum: the most bytes of one read within the client's limits and suited to its connection.
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

    /// Takes the first in line.
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

    /// A turn of the event loop is over. Sockets that had bytes in it, or wait to read, share the next turn's bytes, so that a turn with
    /// many busy sockets takes no longer than one with few, and urgent data waits for neither.
    mutating func turnEnded() {
        let busy = max(1, self.readsThisTurn, self.readers.count)
        self.share = max(Self.leastShare, min(self.largestRead, self.turnBytes / busy))
        self.readsThisTurn = 0
    }

    // MARK: Reading the carrier

    /// Whether nothing here stops reading the carrier; the client's limits may.
    var readsCarrier: Bool { self.heldUploads.isEmpty && !self.replyBacklogExceeded }

    /// - Returns: whether this is new.
    mutating func holdUploads(of socket: ObjectIdentifier) -> Bool { self.heldUploads.insert(socket).inserted }

    /// - Returns: whether it held any.
    mutating func releaseUploads(of socket: ObjectIdentifier) -> Bool { self.heldUploads.remove(socket) != nil }
}
