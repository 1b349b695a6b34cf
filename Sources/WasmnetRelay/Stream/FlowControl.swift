import DequeModule

/// What the client still accepts on one socket, in payload bytes. Without credit (v1) only the carrier limits it.
package struct SendCredit: Equatable, Sendable {
    /// Nil: not counted.
    package private(set) var available: Int?
    /// Grants above this are cut: no client can read so much ahead, and no sum can overflow.
    private static let most = 1 << 30
    /// The least part of a larger piece that is worth a message, in bytes. A client may return credit one message at a
    /// time; smaller parts would be returned as equally small credit, indefinitely (RFC 1122, section 4.2.3.4).
    package static let smallPart = 4 << 10
    /// How long a piece waits for credit worth a message, in milliseconds, before a smaller part of it is sent after all:
    /// the client may have no more to grant until it has that part.
    package static let patience: Int64 = 100
    private var isUrged = false

    package init(_ first: Int?) {
        self.available = first
    }

    package var isSpent: Bool { self.available.map { $0 <= 0 } ?? false }
    package var limit: Int { self.available ?? Int.max }

    /// Whether at least a part of a piece of this many bytes is sent now.
    package func takes(_ bytes: Int) -> Bool {
        guard let available = self.available else { return true }
        return available >= (self.isUrged ? 1 : min(bytes, Self.smallPart))
    }

    /// A piece waited long enough: the next part may be as small as the credit.
    package mutating func releaseSmallPart() {
        self.isUrged = true
    }

    package mutating func spend(_ bytes: Int) {
        self.isUrged = false
        if let left = self.available { self.available = left - bytes }
    }

    package mutating func add(_ bytes: UInt32) {
        if let left = self.available { self.available = min(left + Int(bytes), Self.most) }
    }
}

/// What the node accepts from the client on one socket, and when it accepts more: credit is returned as bytes leave for the
/// target, and the window doubles when a full window left within about a round trip, since then the window limits
/// the sender (the rule of Linux' receive buffer tuning, and of HTTP/2's BDP probes). At short round trips it doubles only
/// while a full window leaves within some milliseconds, so that grants, each a message, are rare.
package struct ReceiveWindow: Equatable, Sendable {
    /// The most outstanding credit, in bytes.
    package private(set) var size: Int
    /// Outstanding credit: what the client may still send.
    package private(set) var outstanding: Int
    /// Bytes that arrived and have not left yet.
    package private(set) var held = 0
    private var roundStart: Int64 = 0
    private var roundBytes = 0
    private let largest: Int
    /// A round trip, in nanoseconds, below which the first window (2 Gbit/s at 1 ms) limits no sender.
    private static let nearby: Int64 = 1_000_000
    /// The assumed round trip, in nanoseconds, and the largest window, in bytes, if it is shorter than that.
    private static let nearbyRound: Int64 = 5_000_000
    private static let nearbyLargest = 1 << 20

    package init(first: Int, largest: Int) {
        self.size = first
        self.outstanding = first
        self.largest = max(first, largest)
    }

    /// False when the client sent more than it was granted.
    package mutating func receive(_ bytes: Int) -> Bool {
        guard bytes <= self.outstanding else { return false }
        self.outstanding -= bytes
        self.held += bytes
        return true
    }

    /// Bytes left for the target; returns how much credit to grant, if it is worth a message.
    ///
    /// - Parameters:
    ///   - now: monotonic nanoseconds.
    ///   - roundTrip: nanoseconds to the client and back; nil if not known.
    ///   - room: by how much the window may grow, in bytes.
    ///   - widest: the largest window of the session's other sockets, in bytes. What those have in flight makes this one's rounds longer, so
    ///     it follows them where its own credit, and not its target, holds it back.
    package mutating func drained(
        _ bytes: Int, now: Int64, roundTrip: Int64?, room: Int, widest: Int
    ) -> (grant: Int, grown: Int) {
        self.held -= min(bytes, self.held)
        self.roundBytes += bytes
        var grown = 0
        let isNear = (roundTrip ?? 0) < Self.nearby
        let round = isNear ? Self.nearbyRound : roundTrip ?? 0
        let elapsed = now - self.roundStart
        let isQuick = self.roundBytes >= self.size / 4 * 3 && elapsed <= 2 * round
        let isOutrun = self.size < widest && self.outstanding < self.size / 4 && self.held < self.size / 4
        if isQuick || isOutrun {
            let largest = isNear ? min(self.largest, Self.nearbyLargest) : self.largest
            grown = max(0, min(self.size, largest - self.size, room))
            self.size += grown
        }
        if elapsed > round {
            self.roundStart = now
            self.roundBytes = 0
        }
        let due = self.size - self.outstanding - self.held
        // A grant is worth a message when half of the window is due, or when the client is nearly out of credit.
        guard due > 0, due >= self.size / 2 || self.outstanding < self.size / 4 || grown > 0 else { return (0, grown) }
        self.outstanding += due
        return (due, grown)
    }
}

/// Whose turn it is to send: deficit round robin by bytes with new flows first (RFC 8290, section 4.2), so that a keystroke
/// does not wait behind a download, and no download starves another.
package struct TurnTaking<ID: Hashable & Sendable>: Sendable, Hashable {
    private var fresh = Deque<ID>()
    private var old = Deque<ID>()
    private var deficits: [ID: Int] = [:]
    /// Flows in ``old`` that ran empty as new ones: one that returns before its turn does not count as new again.
    private var idle: Set<ID> = []
    /// Bytes a flow may send in one turn.
    package let quantum: Int

    package init(quantum: Int) {
        self.quantum = quantum
    }

    package var isEmpty: Bool { self.deficits.count == self.idle.count }

    package func contains(_ id: ID) -> Bool { self.deficits[id] != nil && !self.idle.contains(id) }

    /// A flow has something to send. One already queued keeps its place.
    package mutating func add(_ id: ID) {
        guard self.deficits[id] == nil else {
            self.idle.remove(id)
            return
        }
        self.deficits[id] = self.quantum
        self.fresh.append(id)
    }

    package mutating func remove(_ id: ID) {
        guard self.deficits.removeValue(forKey: id) != nil else { return }
        self.idle.remove(id)
        self.fresh.removeAll { $0 == id }
        self.old.removeAll { $0 == id }
    }

    /// The flow whose turn it is; it stays queued until ``sent(_:bytes:hasMore:)``.
    package mutating func next() -> ID? {
        while let id = self.fresh.first ?? self.old.first {
            guard let deficit = self.deficits[id] else { return nil }
            if self.idle.contains(id) {
                self.remove(id)
                continue
            }
            if deficit > 0 { return id }
            // Its share of this round is spent: requeue it behind all the others, with a new one.
            if self.fresh.isEmpty { self.old.removeFirst() } else { self.fresh.removeFirst() }
            self.deficits[id] = deficit + self.quantum
            self.old.append(id)
        }
        return nil
    }

    /// The flow in turn sent this many bytes, or could not send at all (0 bytes), and whether it has more.
    package mutating func sent(_ id: ID, bytes: Int, hasMore: Bool) {
        guard let deficit = self.deficits[id] else { return }
        if !hasMore {
            self.deficits[id] = nil
            if self.fresh.first == id {
                self.fresh.removeFirst()
                if !self.old.isEmpty {
                    self.old.append(id)
                    self.deficits[id] = deficit - bytes
                    self.idle.insert(id)
                }
            } else if self.old.first == id {
                self.old.removeFirst()
            }
        } else {
            self.deficits[id] = deficit - bytes
        }
    }
}
