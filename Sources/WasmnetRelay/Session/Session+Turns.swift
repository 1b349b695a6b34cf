import DequeModule
import NIOCore
import WasmnetProtocol
import WasmnetQuota

/// When sockets are read and whose bytes go first.
///
/// Down: a socket with bytes sends at once while nobody waits and there is room; else it queues (``TurnTaking``). A socket is
/// read again when all its bytes are handed over, its client grants credit, the carrier has room and the client's budget is
/// not spent. A sparse socket, whose last read was short, is read also without room, a little, and goes before the others. Up: the
/// carrier is read unless a target without credit holds more than its allowance, the client's limits say no, or our answers pile up.
/// What is charged, and when bytes wait for the client's limits, stands in Session+Limits.swift.
extension Session {
    /// What a sparse socket may have read that waits for room, in bytes.
    static let sparseReadBytes = 4 << 10

    // MARK: Down

    /// A socket has bytes of its target.
    func offer(_ stream: TargetStream) {
        self.readsThisTurn += 1
        if stream.isSparse, self.carrier.takesUrgent, !self.turns.contains(stream.id), let piece = stream.nextPiece() {
            self.tellData(stream.id, piece, as: stream.encoding)
        } else if self.turns.isEmpty {
            if !self.carrier.hasRoom { self.carrier.flushNow() }
            while self.carrier.hasRoom, let piece = stream.nextPiece() {
                self.tellData(stream.id, piece, as: stream.encoding)
            }
        }
        if stream.hasTargetBytes {
            // Without credit it waits for the client's window, not for a turn.
            if !stream.awaitsCredit() { self.turns.add(stream.id) }
        } else {
            stream.handedOver()
            self.readWanted(stream)
        }
    }

    /// There is room: whoever waits sends in turns, then whoever was kept from reading reads.
    func takeTurns() {
        guard self.state != .ended else { return }
        while self.carrier.hasRoom, let id = self.turns.next() {
            guard case .stream(let stream)? = self.sockets[id], let piece = stream.nextPiece() else {
                self.turns.sent(id, bytes: 0, hasMore: false)
                continue
            }
            self.tellData(id, piece, as: stream.encoding)
            self.turns.sent(id, bytes: piece.readableBytes, hasMore: stream.hasTargetBytes && !stream.awaitsCredit())
            if !stream.hasTargetBytes {
                stream.handedOver()
                self.readWanted(stream)
            }
        }
        self.resumeReaders()
    }

    /// A socket can take a read: it does, or waits in line until it may.
    func readWanted(_ socket: some ReadingSocket) {
        guard socket.mayRead else { return }
        guard self.budgetAllows(), socket.isSparse || (self.waitingReaders.isEmpty && self.carrier.hasRoom) else {
            if self.waitingReaderSet.insert(socket.id).inserted {
                self.waitingReaders.append(socket.id)
                self.environment.observer.readingPaused(.down)
            }
            return
        }
        socket.read(limit: self.carrier.hasRoom ? self.readLimit : Self.sparseReadBytes)
    }

    private func resumeReaders() {
        while self.carrier.hasRoom, !self.waitingReaders.isEmpty, self.budgetAllows() {
            guard let id = self.waitingReaders.popFirst() else { return }
            self.waitingReaderSet.remove(id)
            guard self.resumeReader(id) else { continue }
            // One at a time where every read may spend the budget; its charge decides about the next. One that has nothing to read must
            // not keep the others waiting.
            if self.isPaced {
                if !self.waitingReaders.isEmpty { self.resume(in: .milliseconds(1)) }
                break
            }
        }
    }

    /// Lets a socket read that waited; false where it has nothing to read by now.
    private func resumeReader(_ id: SocketID) -> Bool {
        switch self.sockets[id] {
        case .stream(let stream)? where stream.mayRead: stream.read(limit: self.readLimit)
        case .datagram(let socket)? where socket.mayRead: socket.read(limit: self.readLimit)
        default: return false
        }
        return true
    }

    /// Whether the client has a bandwidth limit.
    var isPaced: Bool { self.allowance.readQuantum < .max }

    /// With a bandwidth limit reads are small, so that the sockets' turns are short. Where the way is known to be wide they are large: a
    /// message costs a browser much, whatever is in it.
    private var readLimit: Int {
        let chunk = max(self.environment.settings.readChunkBytes, self.carrier.piece ?? 0)
        return min(self.allowance.readQuantum, self.readShare, chunk)
    }

    /// A turn of the event loop is over. Sockets that had bytes in it share what the next may bring, so that one with many busy
    /// sockets is no longer than one with few, and what is urgent waits for neither.
    package func turnEnded() {
        let settings = self.environment.settings
        let share = settings.readTurnBytes / max(1, self.readsThisTurn)
        self.readShare = max(8 << 10, min(settings.wideReadChunkBytes, share))
        self.readsThisTurn = 0
        self.settleOverhead()
    }

    /// Whether a datagram finds room; one that does not is dropped.
    func takesDatagram() -> Bool {
        self.now = self.environment.uptimeNanoseconds()
        return self.carrier.hasRoom && !self.carrier.answersPileUp
    }

    func forget(_ socket: some SessionSocket) {
        if self.holds(socket) { self.turns.remove(socket.id) }
        self.releaseUploads(socket)
    }

    // MARK: Up

    /// The most bytes that one read of the carrier should bring.
    package var uploadQuantum: Int { self.allowance.readQuantum }

    func holdUploads(_ socket: TargetStream) {
        guard self.heldUploads.insert(ObjectIdentifier(socket)).inserted else { return }
        self.environment.observer.readingPaused(.up)
    }

    func releaseUploads(_ socket: some SessionSocket) {
        guard self.heldUploads.remove(ObjectIdentifier(socket)) != nil else { return }
        self.updateReading()
    }

    func updateReading() {
        guard self.state != .ended else { return }
        self.carrier.setReading(
            self.heldUploads.isEmpty && self.heldUpload == nil && !self.answersWerePilingUp && self.budgetAllows()
                && self.refusalsAllow())
    }

    /// A socket holds bytes that are to go out: at the end of the carrier's read, of anything else at the end of the loop's turn.
    func markDirty(_ socket: TargetStream) {
        if !self.isInCarrierRead, self.dirty.isEmpty {
            self.eventLoop.assumeIsolated().execute { self.flushSockets() }
        }
        self.dirty.append(socket)
    }

    func flushSockets() {
        guard !self.dirty.isEmpty else { return }
        let dirty = self.dirty
        self.dirty.removeAll(keepingCapacity: dirty.count <= 64)
        for socket in dirty { socket.flush() }
    }
}
