import DequeModule
import WasmnetProtocol

/// Recently ended ids, so that messages which crossed our `closed` are ignored and each unknown id is answered only once.
struct RecentlyClosedIDs {
    /// Commands that a client sends at most once for a socket.
    enum Command: UInt8 {
        case close = 1
        case shutdown = 2
        case reset = 4
    }

    private struct End {
        /// Monotonic nanoseconds until which a message for the id may have crossed its end.
        var crossingEnds: Int64
        /// Bits of the commands received since.
        var commands: UInt8 = 0
    }

    private var order = Deque<SocketID>()
    private var ends: [SocketID: End] = [:]
    private let limit: Int

    init(limit: Int) {
        self.limit = limit
    }

    func contains(_ id: SocketID) -> Bool { self.ends[id] != nil }

    /// Whether a message for the id may have been sent before its end was known. Of a command only the first one may.
    mutating func mayHaveCrossed(_ id: SocketID, by command: Command? = nil, now: Int64) -> Bool {
        guard var end = self.ends[id], now < end.crossingEnds else { return false }
        guard let command else { return true }
        guard end.commands & command.rawValue == 0 else { return false }
        end.commands |= command.rawValue
        self.ends[id] = end
        return true
    }

    mutating func insert(_ id: SocketID, crossingEnds: Int64) {
        guard self.ends.updateValue(End(crossingEnds: crossingEnds), forKey: id) == nil else { return }
        self.order.append(id)
        if self.order.count > self.limit, let oldest = self.order.popFirst() { self.ends[oldest] = nil }
    }

    /// The id is in use again.
    mutating func remove(_ id: SocketID) {
        guard self.ends.removeValue(forKey: id) != nil else { return }
        self.order.removeAll { $0 == id }
    }
}
